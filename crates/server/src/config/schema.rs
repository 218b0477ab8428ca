//! The keys there are, as the fields of [`Config`] have them, and which of them an unknown one was meant to be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::Config;

/// A key that there is.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) kind: Kind,
    /// What its field says.
    pub(super) doc: String,
}

/// What can stand under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keys.
    Section,
    /// A list, each with the same keys.
    Sections,
    /// Names of somebody else's, each with a text.
    Map,
    /// Texts.
    List,
    Whole,
    Switch,
    Text,
}

impl Kind {
    pub(super) fn has_keys(self) -> bool {
        matches!(self, Self::Section | Self::Sections)
    }
}

/// Every key by its full name, such as `client.token.issuer`. The keys in a list of sections have no index.
pub(super) static KEYS: LazyLock<BTreeMap<String, Key>> = LazyLock::new(|| {
    let mut keys = BTreeMap::new();
    collect("", &generate(true), &mut keys);
    keys
});

/// The JSON Schema of a configuration file.
pub(crate) fn json_schema() -> Value {
    generate(false)
}

fn generate(inline: bool) -> Value {
    // Sections that are made of several structs cannot deny unknown keys by serde; here they do.
    let deny = RecursiveTransform(|schema: &mut schemars::Schema| {
        schema.remove("unevaluatedProperties");
        if schema.get("properties").is_some() {
            schema.insert("additionalProperties".into(), false.into());
        }
    });
    let mut settings = SchemaSettings::draft2020_12().with_transform(deny);
    settings.inline_subschemas = inline;
    settings.into_generator().into_root_schema_for::<Config>().into()
}

fn collect(parent: &str, schema: &Value, keys: &mut BTreeMap<String, Key>) {
    let properties = properties(schema).or_else(|| properties(&schema["items"]));
    for (name, schema) in properties.into_iter().flatten() {
        let name = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        collect(&name, schema, keys);
        let doc = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        keys.insert(name, Key { kind: kind(schema), doc });
    }
}

fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    schema["properties"].as_object()
}

fn kind(schema: &Value) -> Kind {
    match schema["type"].as_str() {
        Some("object") if properties(schema).is_some() => Kind::Section,
        Some("object") => Kind::Map,
        Some("array") if properties(&schema["items"]).is_some() => Kind::Sections,
        Some("array") => Kind::List,
        Some("integer") => Kind::Whole,
        Some("boolean") => Kind::Switch,
        _ => Kind::Text,
    }
}

/// The key that `unknown` was most likely meant to be: one of the same section that is written nearly so, else the same
/// key in another section, else whichever is nearest.
pub(super) fn nearest(unknown: &str, is_section: bool) -> &'static str {
    let (section, name) = split(unknown);
    KEYS.iter()
        .filter(|(_, key)| key.kind.has_keys() == is_section)
        .map(|(candidate, _)| candidate.as_str())
        .min_by_key(|candidate| {
            let (its_section, its_name) = split(candidate);
            let changes = strsim::damerau_levenshtein(name, its_name);
            let likeness = match changes {
                _ if its_section == section && changes <= 1 + its_name.len() / 4 => 0,
                0 => 1,
                _ => 2,
            };
            (likeness, strsim::damerau_levenshtein(unknown, candidate))
        })
        .unwrap_or_default()
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        for (unknown, is_section, meant) in [
            ("http.lissten", false, "http.listen"),
            ("http.compression", false, "websocket.compression"),
            ("client.ping_intervall", false, "client.ping_interval"),
            ("client.hmac_secret_key", false, "client.token.hmac_secret_key"),
            ("token_hmac_secret_key", false, "client.token.hmac_secret_key"),
            ("allowed_origins", false, "client.allowed_origins"),
            ("channel.presence", false, "channel.namespaces.presence"),
            ("channel.namespaces.histroy_size", false, "channel.namespaces.history_size"),
            ("echo.on", false, "echo.enabled"),
            ("web_socket", true, "websocket"),
            ("namespaces", true, "rpc.namespaces"),
            ("client.tokens", true, "client.token"),
            ("proxys", true, "proxies"),
        ] {
            assert_eq!(nearest(unknown, is_section), meant, "{unknown}");
        }
    }

    #[test]
    fn every_key_says_what_it_is() {
        for (name, key) in &*KEYS {
            assert!(!key.doc.is_empty() && !key.doc.contains('\n'), "{name}: {:?}", key.doc);
        }
    }

    #[test]
    fn the_schema_knows_what_can_stand_where() {
        for (name, kind) in [
            ("client", Kind::Section),
            ("client.token.issuer", Kind::Text),
            ("client.subscribe_to_user_personal_channel.enabled", Kind::Switch),
            ("client.proxy.connect.http.static_headers", Kind::Map),
            ("channel.namespaces", Kind::Sections),
            ("channel.namespaces.name", Kind::Text),
            ("channel.namespaces.history_ttl", Kind::Text),
            ("channel.namespaces.allowed_delta_types", Kind::List),
            ("channel.max_length", Kind::Whole),
            ("http.listen", Kind::List),
            ("proxies.http.status_to_code_transforms.to_error.code", Kind::Whole),
        ] {
            assert_eq!(KEYS.get(name).map(|key| key.kind), Some(kind), "{name}");
        }
        assert!(!KEYS.contains_key("client.connect_proxy_enabled"));
    }

    #[test]
    fn the_schema_denies_unknown_keys_everywhere() {
        fn look(schema: &Value) {
            if properties(schema).is_some() {
                assert_eq!(schema["additionalProperties"], false, "{schema}");
            }
            match schema {
                Value::Object(entries) => entries.values().for_each(look),
                Value::Array(items) => items.iter().for_each(look),
                _ => {}
            }
        }
        let schema = json_schema();
        assert!(schema["$defs"]["Proxy"].is_object(), "{schema}");
        look(&schema);
    }
}
