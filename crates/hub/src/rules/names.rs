//! The parts of a channel's name: `$news:room#7,9` is a private channel `room#7,9` of the namespace `news`, for the users 7 and 9.

use crate::options::Naming;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) private: bool,
    pub(super) namespace: Option<&'a str>,
    /// What stands behind the namespace; the whole name where there is none.
    pub(super) rest: &'a str,
    /// What stands behind the last user boundary.
    pub(super) users: Option<&'a str>,
}

pub(super) fn parse<'a>(naming: &Naming, name: &'a str) -> Parsed<'a> {
    let bare = match naming.private_prefix.as_str() {
        "" => None,
        prefix => name.strip_prefix(prefix),
    };
    let split = match naming.namespace_boundary.as_str() {
        "" => None,
        boundary => bare.unwrap_or(name).split_once(boundary),
    };
    let users = match naming.user_boundary.as_str() {
        "" => None,
        boundary => name.rsplit_once(boundary).map(|(_, users)| users),
    };
    Parsed {
        private: bare.is_some(),
        namespace: split.map(|(namespace, _)| namespace),
        rest: split.map_or(name, |(_, rest)| rest),
        users,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_parts() {
        let naming = Naming::default();
        for (name, private, namespace, rest, users) in [
            ("news", false, None, "news", None),
            ("a:b", false, Some("a"), "b", None),
            ("a:b:c", false, Some("a"), "b:c", None),
            (":b", false, Some(""), "b", None),
            ("$a", true, None, "$a", None),
            ("$a:b", true, Some("a"), "b", None),
            ("a:b#7,9", false, Some("a"), "b#7,9", Some("7,9")),
            ("#7", false, None, "#7", Some("7")),
            ("a#1#2", false, None, "a#1#2", Some("2")),
        ] {
            assert_eq!(parse(&naming, name), Parsed { private, namespace, rest, users }, "{name}");
        }
        let bare = Naming {
            private_prefix: String::new(),
            namespace_boundary: String::new(),
            user_boundary: String::new(),
            ..naming
        };
        let whole = Parsed { private: false, namespace: None, rest: "$a:b#7", users: None };
        assert_eq!(parse(&bare, "$a:b#7"), whole);
    }
}
