//! Layers of settings, one over the other: file, environment, flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::keys::Keys;
use super::{Config, Span};

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
    /// The settings that come of the layers.
    ///
    /// # Errors
    /// When the file cannot be read, or any layer has an unknown key or a value of a wrong type.
    pub(crate) fn resolve(&self) -> Result<Config, ConfigError> {
        let mut table = match &self.file {
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .map_err(|e| ConfigError::one(format!("{name} cannot be read: {e}")))?;
                parse(&name, &text)?
            }
            None => Table::try_from(Config::development()).map_err(|e| ConfigError::one(e.to_string()))?,
        };
        overlay_environment(&mut table, &self.environment)?;
        let mut config = Config::deserialize(table).map_err(|e| ConfigError::one(e.to_string()))?;
        if !self.listen.is_empty() {
            config.http.listen.clone_from(&self.listen);
        }
        if let Some(workers) = self.workers {
            config.http.workers = workers;
        }
        let problems = contradictions(&config);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

/// Checks the text of a configuration file.
///
/// # Errors
/// Every unknown key with its line and the nearest known one; else the first value of a wrong type; else every value that
/// contradicts another or lets nothing through.
pub(crate) fn check(name: &str, text: &str) -> Result<(), ConfigError> {
    let config =
        Config::deserialize(parse(name, text)?).map_err(|e| ConfigError::one(format!("{name}: {e}")))?;
    let problems: Vec<_> =
        contradictions(&config).iter().map(|problem| format!("{name}: {problem}")).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
}

/// The settings in the text of a configuration file.
fn parse(name: &str, text: &str) -> Result<Table, ConfigError> {
    let spanned = DeTable::parse(text).map_err(|e| ConfigError::one(format!("{name}: {e}")))?;
    let unknown = unknown_keys(name, text, spanned.get_ref());
    if !unknown.is_empty() {
        return Err(ConfigError { problems: unknown });
    }
    toml::from_str::<Config>(text).map_err(|e| ConfigError::one(format!("{name}: {e}")))?;
    text.parse().map_err(|e| ConfigError::one(format!("{name}: {e}")))
}

/// What values of the right types must not be.
fn contradictions(config: &Config) -> Vec<String> {
    let Config { http, websocket, client, channel, .. } = config;
    let mut problems = Vec::new();
    if http.listen.is_empty() {
        problems.push("http.listen is empty; name at least one ADDRESS:PORT".to_owned());
    }
    for (key, value) in [
        ("websocket.message_size_limit", websocket.message_size_limit),
        ("websocket.frame_size_limit", websocket.frame_size_limit),
        ("websocket.fragment_limit", websocket.fragment_limit as usize),
        ("client.queue_max_size", client.queue_max_size),
        ("channel.max_length", channel.max_length),
    ] {
        if value == 0 {
            problems.push(format!("{key} is 0, which lets nothing through; it must be at least 1"));
        }
    }
    let shortest = Span::seconds(0);
    for (key, value) in
        [("pong_timeout", client.pong_timeout), ("stale_close_delay", client.stale_close_delay)]
    {
        if value == shortest {
            problems.push(format!("client.{key} is {value}, which no client can keep; it must be longer"));
        }
    }
    if client.pong_timeout.0 >= client.ping_interval.0 {
        let (timeout, interval) = (client.pong_timeout, client.ping_interval);
        problems.push(format!(
            "client.pong_timeout is {timeout} and client.ping_interval {interval}; the timeout must be shorter"
        ));
    }
    problems
}

fn unknown_keys(name: &str, text: &str, sections: &DeTable<'_>) -> Vec<String> {
    let keys = Keys::known();
    let mut problems = Vec::new();
    for (section, value) in sections {
        let at = place(name, text, section);
        let section = section.get_ref();
        if !keys.has_section(section) {
            let nearest = keys.nearest_section(section);
            problems.push(format!("{at}: there is no section [{section}]; the nearest is [{nearest}]"));
            continue;
        }
        // A section that is no table fails when it is read, with its line.
        let DeValue::Table(entries) = value.get_ref() else { continue };
        for key in entries.keys() {
            let at = place(name, text, key);
            let key = key.get_ref();
            if keys.default_of(section, key).is_none() {
                let nearest = keys.nearest_key(section, key);
                problems.push(format!("{at}: there is no key {section}.{key}; the nearest is {nearest}"));
            }
        }
    }
    problems.sort();
    problems
}

fn place<T>(name: &str, text: &str, spanned: &Spanned<T>) -> String {
    let before = text.get(..spanned.span().start).unwrap_or(text);
    format!("{name}:{}", before.matches('\n').count() + 1)
}

const PREFIX: &str = "ANTIPHON_";

/// Lays the variables `ANTIPHON_SECTION__KEY` over the settings. Other names are not settings.
fn overlay_environment(table: &mut Table, environment: &[(String, String)]) -> Result<(), ConfigError> {
    let keys = Keys::known();
    for (variable, text) in environment {
        let Some((section, key)) = variable.strip_prefix(PREFIX).and_then(|name| name.split_once("__"))
        else {
            continue;
        };
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        if !keys.has_section(&section) {
            let nearest = keys.nearest_section(&section);
            return Err(ConfigError::one(format!(
                "{variable}: there is no section {section}; the nearest is {nearest}"
            )));
        }
        let Some(default) = keys.default_of(&section, &key) else {
            let nearest = keys.nearest_key(&section, &key);
            let nearest = format!("{PREFIX}{}", nearest.replace('.', "__").to_ascii_uppercase());
            return Err(ConfigError::one(format!(
                "{variable}: there is no key {section}.{key}; the nearest is {nearest}"
            )));
        };
        let value = typed(text, default).map_err(|why| ConfigError::one(format!("{variable}: {why}")))?;
        let entries = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(entries) = entries {
            entries.insert(key, value);
        }
        Config::deserialize(table.clone())
            .map_err(|e| ConfigError::one(format!("{variable}={text}: {}", e.message())))?;
    }
    Ok(())
}

/// Reads a variable as a value of the type that its key has. A list is written with commas.
fn typed(text: &str, default: &Value) -> Result<Value, String> {
    match default {
        Value::Integer(_) => {
            text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
        }
        Value::Boolean(_) => {
            text.parse().map(Value::Boolean).map_err(|_| format!("{text:?} is not true or false"))
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
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
    fn unknown_keys_are_all_named_with_their_lines() {
        let text = "[http]\nlissten = []\n\n[ecko]\nenabled = true\n";
        let error = check("a.toml", text).unwrap_err().to_string();
        assert_eq!(
            error,
            "a.toml:2: there is no key http.lissten; the nearest is http.listen\n\
             a.toml:4: there is no section [ecko]; the nearest is [echo]"
        );
    }

    #[test]
    fn a_file_is_checked_for_contradictions() {
        let error = check("a.toml", "[client]\nping_interval = \"1s\"\n").unwrap_err().to_string();
        assert!(error.starts_with("a.toml: client.pong_timeout is 8s"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let error = check("a.toml", "[http]\nworkers = \"two\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("workers"), "{error}");
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
    fn a_bad_variable_is_named_with_the_way_out() {
        for (variable, value, says) in [
            ("ANTIPHON_HTTP__LISTN", "x", "ANTIPHON_HTTP__LISTEN"),
            ("ANTIPHON_HTP__LISTEN", "x", "the nearest is http"),
            ("ANTIPHON_ECHO__ENABLED", "yes", "not true or false"),
            ("ANTIPHON_HTTP__WORKERS", "-1", "ANTIPHON_HTTP__WORKERS=-1"),
            ("ANTIPHON_CLIENT__PING_INTERVAL", "25", "unit"),
            ("ANTIPHON_CLIENT__PING_INTERVAL", "5s", "client.pong_timeout is 8s"),
            ("ANTIPHON_CLIENT__STALE_CLOSE_DELAY", "0s", "client.stale_close_delay is 0s"),
            ("ANTIPHON_CHANNEL__MAX_LENGTH", "0", "channel.max_length is 0"),
            ("ANTIPHON_HTTP__LISTEN", "", "http.listen is empty"),
        ] {
            let error = environment(&[(variable, value)]).resolve().unwrap_err().to_string();
            assert!(error.contains(says), "{variable}={value}: {error}");
        }
    }
}
