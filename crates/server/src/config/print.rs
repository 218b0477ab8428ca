//! The file that `antiphon config default` prints.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::Config;
use super::fault::join;
use super::schema::{KEYS, Kind};

const HEAD: &str = "\
# Every setting of `antiphon serve`, with its default.
# The order in which settings win: this file, then the environment (ANTIPHON_SECTION__KEY, such as
# ANTIPHON_HTTP__LISTEN; lists with commas, sections as JSON), then flags.
# What has no default is a comment. A section in double brackets may stand several times.
";

/// Every setting with its sentence and its default, as a configuration file. What has no default is a comment.
///
/// # Errors
/// Never, as a test shows: the defaults can be written.
pub(crate) fn default_toml() -> Result<String, String> {
    let sample = Config::deserialize(Value::Table(one_of_each(""))).map_err(|e| e.to_string())?;
    let settings = toml::to_string(&sample).map_err(|e| e.to_string())?;
    Ok(commented(&settings))
}

/// One of each section that there can be several of, with nothing in it.
fn one_of_each(section: &str) -> Table {
    let mut table = Table::new();
    for (path, key) in KEYS.iter().filter(|(_, key)| key.kind.has_keys()) {
        let name = if section.is_empty() { Some(&**path) } else { path.strip_prefix(&format!("{section}.")) };
        let Some(name) = name.filter(|name| !name.contains('.')) else { continue };
        let inner = Value::Table(one_of_each(path));
        table.insert(name.to_owned(), if key.kind == Kind::Sections { vec![inner].into() } else { inner });
    }
    table
}

/// Puts each key's sentence over it, unless the same has been said of a key of that name before.
fn commented(settings: &str) -> String {
    let mut page = Page { text: HEAD.to_owned(), said: BTreeSet::new() };
    for block in settings.split("\n\n") {
        let mut lines = block.lines();
        let header = lines.next().unwrap_or_default();
        let section = header.trim_matches(['[', ']']);
        page.entry(section, &format!("\n{header}"));
        let mut present = BTreeSet::new();
        for line in lines {
            let path = join(section, line.split(" = ").next().unwrap_or_default());
            page.entry(&path, line);
            present.insert(path);
        }
        // What has no default is not among the settings.
        let keys = KEYS.iter().filter(|(_, key)| key.kind == Kind::Text).map(|(path, _)| path);
        for path in keys.filter(|path| !present.contains(*path)) {
            if let Some((_, name)) = path.rsplit_once('.').filter(|(parent, _)| *parent == section) {
                page.entry(path, &format!("#{name} = \"\""));
            }
        }
    }
    page.text
}

/// The text so far, and the sentences in it, each with the name of its key.
struct Page {
    text: String,
    said: BTreeSet<(String, &'static str)>,
}

impl Page {
    fn entry(&mut self, path: &str, line: &str) {
        let Some(key) = KEYS.get(path) else { return };
        let name = path.rsplit('.').next().unwrap_or_default();
        let is_news = self.said.insert((name.to_owned(), &key.doc));
        let is_example =
            parents(path).any(|parent| KEYS.get(parent).is_some_and(|key| key.kind == Kind::Sections));
        if !is_news && (is_example || key.kind == Kind::Map) {
            return;
        }
        let (blank, line) = line.strip_prefix('\n').map_or(("", line), |line| ("\n", line));
        let doc = if is_news { format!("# {}\n", key.doc) } else { String::new() };
        let comment = if is_example { "#" } else { "" };
        self.text.push_str(&format!("{blank}{doc}{comment}{line}\n"));
    }
}

/// The path itself, and the sections around it.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(parent, _)| parent))
}

#[cfg(test)]
mod tests {
    use super::super::fault::faults;
    use super::*;

    #[test]
    fn the_printed_defaults_are_the_defaults() {
        let printed = Config::deserialize(Value::Table(default_toml().unwrap().parse().unwrap())).unwrap();
        assert_eq!(printed, Config::default());
        // And not because hardly anything is printed.
        let printed: Table = default_toml().unwrap().parse().unwrap();
        let mut real = Table::try_from(Config::default()).unwrap();
        real.retain(|name, _| name != "proxies");
        assert_eq!(printed.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>());
        assert_eq!(printed["client"]["token"], real["client"]["token"]);
    }

    #[test]
    fn every_key_is_printed_with_its_sentence() {
        let text = default_toml().unwrap();
        let lines: Vec<_> = text.lines().collect();
        for (path, key) in KEYS.iter().filter(|(_, key)| !key.kind.has_keys() && key.kind != Kind::Map) {
            let name = path.rsplit('.').next().unwrap();
            let (doc, setting) = (format!("# {}", key.doc), format!("{name} = "));
            let printed = lines
                .windows(2)
                .any(|pair| pair[0] == doc && pair[1].trim_start_matches('#').starts_with(&setting));
            assert!(printed, "{path}");
        }
    }

    #[test]
    fn what_is_a_comment_can_be_made_a_setting() {
        let text = default_toml().unwrap();
        let lines = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
        let all = lines.collect::<Vec<_>>().join("\n");
        assert!(
            all.contains("\n[[proxies]]\n") && all.contains("\npublication_data_format = \"\"\n"),
            "{all}"
        );
        let found = faults(&all.parse().unwrap());
        assert!(found.is_empty(), "{found:?}");
    }
}
