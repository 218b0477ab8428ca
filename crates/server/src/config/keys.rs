//! The keys there are, and which of them an unknown one was meant to be.

use toml::Table;

use super::DEFAULT_TOML;

/// The known sections and their keys: those of the printed defaults.
pub(super) struct Keys {
    sections: Table,
}

impl Keys {
    pub(super) fn known() -> Self {
        // A test parses the same text, so that an empty table cannot come of it.
        Self { sections: DEFAULT_TOML.parse().unwrap_or_default() }
    }

    /// The default of a key; with it the type that the key's values have.
    pub(super) fn default_of(&self, section: &str, key: &str) -> Option<&toml::Value> {
        self.sections.get(section)?.as_table()?.get(key)
    }

    pub(super) fn has_section(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// The section whose name is nearest to `section`.
    pub(super) fn nearest_section(&self, section: &str) -> String {
        nearest(section, self.sections.keys().cloned())
    }

    /// The full name (`section.key`) that `section.key` was most likely meant to be: the same key in another
    /// section where there is one, else the key of this section that is nearest.
    pub(super) fn nearest_key(&self, section: &str, key: &str) -> String {
        let elsewhere = self.sections.iter().find(|(_, keys)| keys.get(key).is_some());
        if let Some((elsewhere, _)) = elsewhere {
            return format!("{elsewhere}.{key}");
        }
        let siblings = self.sections.get(section).and_then(toml::Value::as_table);
        let siblings = siblings.into_iter().flat_map(|keys| keys.keys().cloned());
        format!("{section}.{}", nearest(key, siblings))
    }
}

fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> String {
    candidates.min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        let keys = Keys::known();
        for (section, key, meant) in [
            ("http", "lissten", "http.listen"),
            ("http", "compression", "websocket.compression"),
            ("client", "ping_intervall", "client.ping_interval"),
            ("echo", "on", "echo.enabled"),
        ] {
            assert_eq!(keys.nearest_key(section, key), meant);
        }
        assert_eq!(keys.nearest_section("web_socket"), "websocket");
    }
}
