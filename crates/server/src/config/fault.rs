//! What is wrong with settings, and where.

use std::fmt;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Config;
use super::schema::{KEYS, Kind, nearest};
use super::secret::is_secret;

/// What is wrong with one key.
#[derive(Debug)]
pub(super) struct Fault {
    /// The key's full name; in a list of sections with an index, such as `proxies[0].endpoint`.
    pub(super) path: String,
    pub(super) says: String,
}

/// The problems of the file `name`, which has `text`, each with its line, in the order of the lines. What is not there is
/// placed at its section.
pub(super) fn placed(mut faults: Vec<Fault>, name: &str, text: &str) -> Vec<String> {
    faults.sort_by_cached_key(|fault| line(text, &fault.path));
    let place =
        |path: &str| line(text, path).map_or_else(|| name.to_owned(), |line| format!("{name}:{line}"));
    faults.iter().map(|fault| format!("{}: {fault}", place(&fault.path))).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// Every key in `table` that there is not, and every value of a wrong type.
pub(super) fn faults(table: &Table) -> Vec<Fault> {
    let mut found = Vec::new();
    walk(table, "", "", &mut found);
    found
}

/// `section` is the name of `table` as the schema has it, `at` with indices.
fn walk(table: &Table, section: &str, at: &str, found: &mut Vec<Fault>) {
    for (name, value) in table {
        let [key, path] = [section, at].map(|parent| join(parent, name));
        let says = match (KEYS.get(&key).map(|key| key.kind), value) {
            (None, _) => unknown(&key, value),
            (Some(Kind::Section), Value::Table(keys)) => {
                walk(keys, &key, &path, found);
                continue;
            }
            (Some(Kind::Section), _) => format!("{path} is a section; write [{key}]"),
            (Some(Kind::Sections), Value::Array(items)) if items.iter().all(Value::is_table) => {
                for (index, keys) in items.iter().filter_map(Value::as_table).enumerate() {
                    walk(keys, &key, &format!("{path}[{index}]"), found);
                }
                continue;
            }
            (Some(Kind::Sections), _) => {
                format!("{path} is a list of sections; write [[{key}]], or in the environment a list in JSON")
            }
            // All other keys have a default, so that one value by itself makes a configuration.
            (Some(_), _) => match Config::deserialize(alone(&path, value.clone())) {
                Ok(_) => continue,
                // What is said here may end in a log.
                Err(_) if is_secret(&key) => {
                    format!(
                        "{path} has a value of a wrong type, which is not shown here; write text in quotes"
                    )
                }
                Err(error) => format!("{path}: {}", error.message()),
            },
        };
        found.push(Fault { path, says });
    }
}

fn unknown(key: &str, value: &Value) -> String {
    let is_list = value.as_array().is_some_and(|items| items.iter().any(Value::is_table));
    let is_section = is_list || value.is_table();
    let nearest = nearest(key, is_section);
    if is_section {
        return format!("there is no section [{key}]; the nearest is [{nearest}]");
    }
    format!("there is no key {key}; the nearest is {nearest}")
}

pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The settings that have nothing but `value` at `path`. An index is always 0 there.
pub(super) fn alone(path: &str, value: Value) -> Value {
    segments(path).rev().fold(value, |inner, (name, index)| {
        let inner = if index.is_some() { Value::Array(vec![inner]) } else { inner };
        Value::Table(Table::from_iter([(name.to_owned(), inner)]))
    })
}

/// The names in a path, each with the index that may follow it.
fn segments(path: &str) -> impl DoubleEndedIterator<Item = (&str, Option<usize>)> {
    path.split('.').map(|segment| {
        let indexed = segment.strip_suffix(']').and_then(|segment| segment.split_once('['));
        indexed.map_or((segment, None), |(name, index)| (name, index.parse().ok()))
    })
}

/// The line of a key, or of the innermost section around it that is there.
fn line(text: &str, path: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut place = None;
    for (name, index) in segments(path) {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        place = Some(key.span().start);
        let item = match (value.get_ref(), index) {
            (DeValue::Array(items), Some(index)) => items.get(index),
            _ => None,
        };
        place = item.map(|item| item.span().start).or(place);
        let DeValue::Table(inner) = item.unwrap_or(value).get_ref() else { break };
        table = inner;
    }
    let before = text.get(..place?)?;
    Some(before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_with_their_lines_at_any_depth() {
        for (text, says) in [
            ("[http]\nlissten = []\n", "a.toml:2: there is no key http.lissten; the nearest is http.listen"),
            ("\n[ecko]\nenabled = true\n", "a.toml:2: there is no section [ecko]; the nearest is [echo]"),
            (
                "[client.token]\n\nhmac_secret = \"a\"\n",
                "a.toml:3: there is no key client.token.hmac_secret; the nearest is client.token.hmac_secret_key",
            ),
            (
                "[[channel.namespaces]]\nname = \"aa\"\n[[channel.namespaces]]\npresense = true\n",
                "a.toml:4: there is no key channel.namespaces.presense; the nearest is channel.namespaces.presence",
            ),
            (
                "proxies = [{name = \"aa\"},\n{http = {status_to_code_transforms = [{status = 3}]}}]\n",
                "a.toml:2: there is no key proxies.http.status_to_code_transforms.status; \
                 the nearest is proxies.http.status_to_code_transforms.status_code",
            ),
            ("[[chanel]]\n", "a.toml:1: there is no section [chanel]; the nearest is [channel]"),
            (
                "[http]\nworkers = \"two\"\n",
                "a.toml:2: http.workers: invalid type: string \"two\", expected u16",
            ),
            (
                "[http]\nworkers = 70000\n",
                "a.toml:2: http.workers: invalid value: integer `70000`, expected u16",
            ),
            (
                "[[channel.namespaces]]\nname = \"aa\"\n[[channel.namespaces]]\nname = \"bb\"\npresence = 1\n",
                "a.toml:5: channel.namespaces[1].presence: invalid type: integer `1`, expected a boolean",
            ),
            (
                "[channel.without_namespace]\nallowed_delta_types = [\"fosil\"]\n",
                "a.toml:2: channel.without_namespace.allowed_delta_types: unknown variant `fosil`, expected `fossil`",
            ),
            (
                "[http_api]\nkey = 5318008\n",
                "a.toml:2: http_api.key has a value of a wrong type, which is not shown here; write text in quotes",
            ),
            (
                "[rpc.proxy.http]\nstatic_headers = {a = 5318008}\n",
                "a.toml:2: rpc.proxy.http.static_headers has a value of a wrong type, which is not shown here; write text \
                 in quotes",
            ),
            ("client = 3\n", "a.toml:1: client is a section; write [client]"),
            (
                "[channel.namespaces]\nname = \"aa\"\n",
                "a.toml:1: channel.namespaces is a list of sections; write [[channel.namespaces]], or in the environment \
                 a list in JSON",
            ),
        ] {
            assert_eq!(placed(faults(&text.parse().unwrap()), "a.toml", text), [says], "{text}");
        }
    }

    #[test]
    fn faults_come_in_the_order_of_their_lines() {
        let text = "[websocket]\nb = 1\na = 1\n[client]\nc = 1\n[echo]\n\n\n\nd = 1\n";
        let found = placed(faults(&text.parse().unwrap()), "f", text);
        let places: Vec<_> = found.iter().map(|fault| &fault[..4]).collect();
        assert_eq!(places, ["f:2:", "f:3:", "f:5:", "f:10"]);
    }

    #[test]
    fn what_is_not_there_is_placed_at_its_section() {
        let text =
            "[client]\n[client.proxy.connect]\nenabled = true\n\n[[proxies]]\n[[proxies]]\nname = \"aa\"\n";
        for (path, place) in [
            ("client.proxy.connect.endpoint", Some(2)),
            ("client.proxy.connect.enabled", Some(3)),
            ("proxies[0].endpoint", Some(5)),
            ("proxies[1].endpoint", Some(6)),
            ("rpc.proxy.endpoint", None),
        ] {
            assert_eq!(line(text, path), place, "{path}");
        }
    }
}
