//! Layers of settings, one over the other: file, environment, flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::Config;
use super::contradictions::contradictions;
use super::fault::{Fault, alone, faults, placed};
use super::schema::{KEYS, Kind, nearest};
use super::shown::{Origin, Origins};

/// What the settings are made of; the later field wins over the earlier.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// No file means development mode.
    pub(crate) file: Option<PathBuf>,
    /// The process's environment, or a part of it.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) workers: Option<u16>,
}

impl Layers {
    /// The settings that come of the layers. The file is read anew each time.
    ///
    /// # Errors
    /// When the file cannot be read, any layer has an unknown key or a value of a wrong type, or what comes of them all
    /// contradicts itself.
    pub(crate) fn resolve(&self) -> Result<Config, ConfigError> {
        self.resolve_with_origins().map(|(config, _)| config)
    }

    /// The settings that come of the layers, and which layer each is from.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub(crate) fn resolve_with_origins(&self) -> Result<(Config, Origins), ConfigError> {
        let mut origins = Origins::default();
        let mut table = match &self.file {
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .map_err(|e| ConfigError::one(format!("{name} cannot be read: {e}")))?;
                let table = parse(&name, &text)?;
                origins.note(&table, "", Origin::File);
                table
            }
            None => {
                let [mut table, default] = [Config::development(), Config::default()].map(Table::try_from);
                if let (Ok(table), Ok(default)) = (&mut table, &default) {
                    origins.note(&differences(table, default), "", Origin::Development);
                }
                table.map_err(|e| ConfigError::one(e.to_string()))?
            }
        };
        overlay_environment(&mut table, &self.environment, &mut origins)?;
        let mut config = Config::deserialize(table).map_err(|e| ConfigError::one(e.to_string()))?;
        if !self.listen.is_empty() {
            config.http.listen.clone_from(&self.listen);
            origins.note_one("http.listen", Origin::Flag);
        }
        if let Some(workers) = self.workers {
            config.http.workers = workers;
            origins.note_one("http.workers", Origin::Flag);
        }
        ConfigError::unless_none(
            contradictions(&config, self.file.is_none()).iter().map(Fault::to_string).collect(),
        )?;
        Ok((config, origins))
    }
}

/// What `table` has that is not the same in `other`.
fn differences(table: &Table, other: &Table) -> Table {
    let differing = table.iter().filter_map(|(name, value)| match (value, other.get(name)) {
        (Value::Table(inner), Some(Value::Table(other))) => {
            let inner = differences(inner, other);
            (!inner.is_empty()).then(|| (name.clone(), Value::Table(inner)))
        }
        (value, other) => (Some(value) != other).then(|| (name.clone(), value.clone())),
    });
    differing.collect()
}

/// Checks the text of a configuration file.
///
/// # Errors
/// Every unknown key and every value of a wrong type; else every value that contradicts another or lets nothing through.
/// Each comes with its line, and with the way out.
pub(crate) fn check(name: &str, text: &str) -> Result<(), ConfigError> {
    let config =
        Config::deserialize(parse(name, text)?).map_err(|e| ConfigError::one(format!("{name}: {e}")))?;
    ConfigError::unless_none(placed(contradictions(&config, false), name, text))
}

/// The settings in the text of a configuration file.
fn parse(name: &str, text: &str) -> Result<Table, ConfigError> {
    let table = text.parse().map_err(|e: toml::de::Error| {
        // The line itself is not shown: it may hold a secret, and what is said here may end in a log.
        let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::one(format!("{name}:{line}: {}", e.message()))
    })?;
    ConfigError::unless_none(placed(faults(&table), name, text))?;
    Ok(table)
}

const PREFIX: &str = "ANTIPHON_";

/// Lays the variables `ANTIPHON_SECTION__KEY` over the settings. Names with one underscore are not settings.
fn overlay_environment(
    table: &mut Table,
    environment: &[(String, String)],
    origins: &mut Origins,
) -> Result<(), ConfigError> {
    let mut settings: Vec<_> = environment
        .iter()
        .filter_map(|(variable, text)| Some((variable, variable.strip_prefix(PREFIX)?, text)))
        .filter(|(_, name, _)| name.contains("__"))
        .collect();
    // A section by itself comes before the keys in it.
    settings.sort();
    let mut problems = Vec::new();
    for (variable, name, text) in settings {
        let path = name.to_ascii_lowercase().replace("__", ".");
        match setting(&path, text) {
            Ok(value) => {
                if let Value::Table(alone) = alone(&path, value.clone()) {
                    origins.note(&alone, "", Origin::Environment);
                }
                insert(table, &path, value);
            }
            Err(wrong) => problems.extend(wrong.iter().map(|problem| format!("{variable}: {problem}"))),
        }
    }
    ConfigError::unless_none(problems)
}

/// What a variable sets its key to.
fn setting(path: &str, text: &str) -> Result<Value, Vec<String>> {
    let Some(key) = KEYS.get(path) else {
        let nearest = nearest(path, false).replace('.', "__").to_ascii_uppercase();
        return Err(vec![format!("there is no key {path}; the nearest is {PREFIX}{nearest}")]);
    };
    let value = typed(text, key.kind).map_err(|problem| vec![problem])?;
    let wrong = match alone(path, value.clone()) {
        Value::Table(table) => faults(&table),
        _ => Vec::new(),
    };
    if wrong.is_empty() { Ok(value) } else { Err(wrong.iter().map(Fault::to_string).collect()) }
}

/// Reads a variable as a value of the kind that its key has. A list is written with commas, what has keys as JSON.
fn typed(text: &str, kind: Kind) -> Result<Value, String> {
    match kind {
        Kind::Whole => {
            text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
        }
        Kind::Switch => {
            text.parse().map(Value::Boolean).map_err(|_| format!("{text:?} is not true or false"))
        }
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Section | Kind::Sections | Kind::Map => {
            serde_json::from_str(text).map_err(|e| format!("what it has is not JSON: {e}"))
        }
    }
}

fn insert(table: &mut Table, path: &str, value: Value) {
    let Some((section, rest)) = path.split_once('.') else {
        table.insert(path.to_owned(), value);
        return;
    };
    let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        insert(inner, rest, value);
    }
}

/// Settings that cannot be used: each problem with its place and the way out.
#[derive(Debug)]
pub(crate) struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }

    fn unless_none(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Layers {
        let environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Layers { environment, ..Layers::default() }
    }

    #[test]
    fn the_environment_lies_over_the_file_and_flags_over_both() {
        let mut layers = environment(&[
            ("ANTIPHON_HTTP__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("ANTIPHON_ECHO__ENABLED", "false"),
            ("ANTIPHON_LOG", "debug"),
            ("HOME", "/"),
        ]);
        let config = layers.resolve().unwrap();
        assert_eq!(config.http.listen, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
        assert!(!config.echo.enabled);
        layers.listen = vec!["127.0.0.1:3".parse().unwrap()];
        layers.workers = Some(2);
        let config = layers.resolve().unwrap();
        assert_eq!((config.http.listen, config.http.workers), (layers.listen, 2));
    }

    #[test]
    fn the_example_of_the_manual_is_good() {
        let page = include_str!("../../../../docs/src/configuration.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert!(example.contains("[[channel.namespaces]]"));
        check("configuration.md", example).unwrap();
    }

    #[test]
    fn variables_reach_every_depth() {
        let config = environment(&[
            ("ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY", "a,b"),
            ("ANTIPHON_CLIENT__TOKEN", r#"{"hmac_secret_key": "c", "issuer": "d"}"#),
            ("ANTIPHON_CLIENT__PROXY__CONNECT__HTTP__STATIC_HEADERS", r#"{"X-Key": "k"}"#),
            ("ANTIPHON_CHANNEL__NAMESPACE_BOUNDARY", ":"),
            (
                "ANTIPHON_CHANNEL__NAMESPACES",
                r#"[{"name": "chat", "history_size": 2, "history_ttl": "1m", "allowed_delta_types": ["fossil"]}]"#,
            ),
            ("ANTIPHON_EVENTS__KINDS", "occupied, vacated"),
        ]);
        let config = config.resolve().unwrap();
        assert_eq!((&*config.client.token.hmac_secret_key, &*config.client.token.issuer), ("a,b", "d"));
        assert_eq!(config.client.proxy.connect.proxy.http.static_headers["X-Key"], "k");
        let [namespace] = &*config.channel.namespaces else { panic!("{:?}", config.channel.namespaces) };
        assert_eq!((&*namespace.name, namespace.options.history_size), ("chat", 2));
        assert_eq!(config.events.kinds.len(), 2);
    }

    #[test]
    fn a_bad_variable_is_named_with_the_way_out() {
        for (variable, value, says) in [
            ("ANTIPHON_HTTP__LISTN", "x", "the nearest is ANTIPHON_HTTP__LISTEN"),
            ("ANTIPHON_HTP__LISTEN", "x", "the nearest is ANTIPHON_HTTP__LISTEN"),
            (
                "ANTIPHON_CLIENT__HMAC_SECRET_KEY",
                "x",
                "the nearest is ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY",
            ),
            ("ANTIPHON_ECHO__ENABLED", "yes", "ANTIPHON_ECHO__ENABLED: \"yes\" is not true or false"),
            ("ANTIPHON_HTTP__WORKERS", "-1", "ANTIPHON_HTTP__WORKERS: http.workers: invalid value"),
            ("ANTIPHON_HTTP__WORKERS", "two", "\"two\" is not a whole number"),
            ("ANTIPHON_CLIENT__PING_INTERVAL", "25", "unit"),
            ("ANTIPHON_CLIENT__PING_INTERVAL", "5s", "client.pong_timeout is 8s"),
            ("ANTIPHON_HTTP__LISTEN", "", "http.listen is empty"),
            ("ANTIPHON_CHANNEL__NAMESPACES", "chat", "ANTIPHON_CHANNEL__NAMESPACES: what it has is not JSON"),
            ("ANTIPHON_CHANNEL__NAMESPACES", "[{\"nane\": \"a\"}]", "the nearest is channel.namespaces.name"),
            ("ANTIPHON_CHANNEL__NAMESPACES__PRESENCE", "true", "a list in JSON"),
        ] {
            let error = environment(&[(variable, value)]).resolve().unwrap_err().to_string();
            assert!(error.contains(says), "{variable}={value}: {error}");
        }
        let both = environment(&[("ANTIPHON_A__B", "1"), ("ANTIPHON_C__D", "1")]).resolve().unwrap_err();
        assert_eq!(both.to_string().lines().count(), 2);
    }
}
