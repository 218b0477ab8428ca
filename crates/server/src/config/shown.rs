//! The settings in force as they are shown to whoever runs the server: each with where it comes from, and without secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Config;
use super::fault::join;
use super::schema::{KEYS, Kind};
use super::secret::{SET, is_secret, without_credentials};

/// Where the value of a setting comes from; the later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Nobody has set it.
    Default,
    /// There is no file, and development mode sets it.
    Development,
    /// The file.
    File,
    /// A variable.
    Environment,
    /// A flag.
    Flag,
}

/// Where settings come from that are not as by default: keys and whole sections, by their full names. In a list of sections they are
/// named with an index, such as `proxies[0].endpoint`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins(BTreeMap<String, Origin>);

/// A setting that is in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Setting {
    key: String,
    /// Of a secret only whether it is set.
    value: Value,
    origin: Origin,
    secret: bool,
    doc: &'static str,
}

impl Origins {
    /// Notes where all that stands in `table`, which is the section `at`, comes from.
    pub(super) fn note(&mut self, table: &toml::Table, at: &str, origin: Origin) {
        for (name, value) in table {
            let path = join(at, name);
            match value {
                toml::Value::Table(inner) if has_keys(&path) => self.note(inner, &path, origin),
                toml::Value::Array(items) if has_keys(&path) => self.note_list(items, &path, origin),
                _ => self.note_one(&path, origin),
            }
        }
    }

    /// A list of sections stands for all that was there before.
    fn note_list(&mut self, items: &[toml::Value], path: &str, origin: Origin) {
        self.0.retain(|key, _| !key.starts_with(&format!("{path}[")));
        self.note_one(path, origin);
        for (index, item) in items.iter().enumerate() {
            if let toml::Value::Table(inner) = item {
                self.note(inner, &format!("{path}[{index}]"), origin);
            }
        }
    }

    /// Notes where one key comes from.
    pub(super) fn note_one(&mut self, path: &str, origin: Origin) {
        self.0.insert(path.to_owned(), origin);
    }

    fn of(&self, path: &str) -> Origin {
        self.0.get(path).copied().unwrap_or(Origin::Default)
    }
}

/// Every setting with its value, sorted by its key within each section.
///
/// # Errors
/// Never: settings can be written as JSON.
pub(crate) fn shown(config: &Config, origins: &Origins) -> Result<Vec<Setting>, serde_json::Error> {
    let mut list = Vec::new();
    walk(&serde_json::to_value(config)?, "", origins, &mut list);
    Ok(list)
}

fn walk(value: &Value, at: &str, origins: &Origins, list: &mut Vec<Setting>) {
    let Value::Object(entries) = value else { return };
    for (name, value) in entries {
        let path = join(at, name);
        match value {
            Value::Object(_) if has_keys(&path) => walk(value, &path, origins, list),
            Value::Array(items) if has_keys(&path) && !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}[{index}]"), origins, list);
                }
            }
            _ => list.push(setting(path, value, origins)),
        }
    }
}

fn setting(path: String, value: &Value, origins: &Origins) -> Setting {
    let key = as_in_schema(&path);
    let secret = is_secret(&key);
    let value = match value {
        value if secret => Value::from(if is_empty(value) { "" } else { SET }),
        value => harmless(value),
    };
    let doc = KEYS.get(&key).map_or("", |key| &*key.doc);
    Setting { value, origin: origins.of(&path), secret, doc, key: path }
}

fn harmless(value: &Value) -> Value {
    match value {
        Value::String(text) => without_credentials(text).into(),
        Value::Array(items) => items.iter().map(harmless).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        other => other.is_null(),
    }
}

fn has_keys(path: &str) -> bool {
    KEYS.get(&as_in_schema(path)).is_some_and(|key| matches!(key.kind, Kind::Section | Kind::Sections))
}

/// The name of a key without indices.
fn as_in_schema(path: &str) -> String {
    path.split('.').map(|segment| segment.split('[').next().unwrap_or(segment)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::super::Layers;
    use super::super::proxy::NamedProxy;
    use super::*;

    fn find<'a>(list: &'a [Setting], key: &str) -> &'a Setting {
        list.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("{key}"))
    }

    fn layers(pairs: &[(&str, &str)]) -> Layers {
        let environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Layers { environment, listen: vec!["127.0.0.1:1".parse().unwrap()], ..Layers::default() }
    }

    #[test]
    fn each_setting_says_where_it_comes_from() {
        let layers = layers(&[
            ("ANTIPHON_HTTP__LISTEN", "127.0.0.1:2"),
            ("ANTIPHON_ECHO__ENABLED", "false"),
            ("ANTIPHON_CHANNEL__NAMESPACES", r#"[{"name": "aa"}, {"name": "bb", "presence": true}]"#),
            ("ANTIPHON_CHANNEL__NAMESPACE_BOUNDARY", ":"),
        ]);
        let (config, origins) = layers.resolve_with_origins().unwrap();
        let list = shown(&config, &origins).unwrap();
        for (key, origin) in [
            ("http.listen", Origin::Flag),
            ("http.workers", Origin::Default),
            ("echo.enabled", Origin::Environment),
            ("prometheus.enabled", Origin::Development),
            ("health.enabled", Origin::Default),
            ("channel.namespaces[1].presence", Origin::Environment),
            ("channel.namespaces[0].presence", Origin::Default),
            ("channel.without_namespace.presence", Origin::Development),
            ("proxies", Origin::Default),
        ] {
            let setting = find(&list, key);
            assert_eq!(setting.origin, origin, "{key}");
            assert!(!setting.doc.is_empty(), "{key}");
        }
        assert_eq!(find(&list, "http.listen").value, serde_json::json!(["127.0.0.1:1"]));
    }

    #[test]
    fn every_key_is_shown() {
        let layers = layers(&[
            ("ANTIPHON_CHANNEL__NAMESPACES", r#"[{"name": "aa"}]"#),
            ("ANTIPHON_CHANNEL__NAMESPACE_BOUNDARY", ":"),
            ("ANTIPHON_RPC__NAMESPACES", r#"[{"name": "aa"}]"#),
        ]);
        let (mut config, origins) = layers.resolve_with_origins().unwrap();
        config.proxies = vec![NamedProxy::default()];
        let list = shown(&config, &origins).unwrap();
        let keys: Vec<_> = list.iter().map(|setting| as_in_schema(&setting.key)).collect();
        for (name, key) in KEYS.iter().filter(|(name, _)| !name.contains("status_to_code_transforms.")) {
            let is_there = keys.contains(name);
            assert!(is_there || matches!(key.kind, Kind::Section | Kind::Sections), "{name}");
        }
    }

    #[test]
    fn of_a_secret_only_that_it_is_set() {
        let layers = layers(&[
            ("ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY", "hidden"),
            ("ANTIPHON_RPC__PROXY__HTTP__STATIC_HEADERS", r#"{"X-Key": "hidden"}"#),
            ("ANTIPHON_EVENTS__ENDPOINT", "https://me:hidden@example.com/a?b=hidden"),
            ("ANTIPHON_EVENTS__SECRET", "hidden"),
        ]);
        let (config, origins) = layers.resolve_with_origins().unwrap();
        let list = shown(&config, &origins).unwrap();
        for key in ["client.token.hmac_secret_key", "rpc.proxy.http.static_headers", "events.secret"] {
            let setting = find(&list, key);
            assert_eq!((&setting.value, setting.secret), (&SET.into(), true), "{key}");
        }
        assert_eq!(find(&list, "http_api.key").value, "");
        assert!(!serde_json::to_string(&list).unwrap().contains("hidden"));
    }
}
