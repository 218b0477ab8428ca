//! Which settings are nobody's business, and what is shown of them.

use super::schema::{KEYS, Kind};

/// What a name says whose value is a secret.
const WORDS: [&str; 9] =
    ["secret", "password", "token", "key", "hmac", "header", "credential", "passphrase", "auth"];

/// Keys that are no secrets though their names say so.
const PUBLIC: [&str; 6] = [
    // The name of a file.
    "tls.key",
    // What they are checked with may be known to all.
    "rsa_public_key",
    "ecdsa_public_key",
    "ed25519_public_key",
    // Names of headers, without their values.
    "http_headers",
    "emulated_headers",
];

/// Stands for a secret that is set.
pub(super) const SET: &str = "(set)";

/// Whether the value of a key is a secret. The key is named as the schema has it, without indices. What is not known to be harmless
/// is one.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    let is_number = KEYS.get(key).is_some_and(|key| matches!(key.kind, Kind::Switch | Kind::Whole));
    let is_suspicious = WORDS.iter().any(|word| name.contains(word));
    is_suspicious && !is_number && !PUBLIC.contains(&name) && !PUBLIC.contains(&key)
}

/// A text that may be a URL, without what only its owner should know: the user and the password in it, and its query.
pub(super) fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?(set)"));
    let end = rest.find(['/', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{SET}@{host}{path}{query}"),
        None => format!("{scheme}://{authority}{path}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_sounds_like_a_secret_is_decided_about() {
        let sounds = |key: &&String| {
            WORDS.iter().any(|word| key.rsplit('.').next().is_some_and(|name| name.contains(word)))
        };
        let valued = KEYS.iter().filter(|(_, key)| {
            !matches!(key.kind, Kind::Section | Kind::Sections | Kind::Switch | Kind::Whole)
        });
        let found: Vec<&str> = valued.map(|(name, _)| name).filter(sounds).map(String::as_str).collect();
        let (hidden, shown): (Vec<&str>, Vec<&str>) = found.into_iter().partition(|key| is_secret(key));
        assert_eq!(
            hidden,
            [
                "admin.password",
                "admin.token",
                "channel.proxy.publish.http.static_headers",
                "channel.proxy.sub_refresh.http.static_headers",
                "channel.proxy.subscribe.http.static_headers",
                "client.proxy.connect.http.static_headers",
                "client.proxy.refresh.http.static_headers",
                "client.subscription_token.hmac_previous_secret_key",
                "client.subscription_token.hmac_secret_key",
                "client.token.hmac_previous_secret_key",
                "client.token.hmac_secret_key",
                "events.secret",
                "http_api.key",
                "proxies.http.static_headers",
                "rpc.proxy.http.static_headers",
            ],
            "a new secret: add it here; no secret: add it to PUBLIC"
        );
        assert!(!shown.is_empty());
        for name in PUBLIC {
            assert!(
                shown.iter().any(|key| key.rsplit('.').next() == Some(name) || *key == name),
                "{name} is no key"
            );
        }
    }

    #[test]
    fn nothing_secret_is_left_in_a_url() {
        for (text, shown) in [
            ("", ""),
            ("debug", "debug"),
            ("http://a:1/b", "http://a:1/b"),
            ("https://u:p@a/b@c", "https://(set)@a/b@c"),
            ("https://u:p@ss@a", "https://(set)@a"),
            ("https://a/b?key=c#d", "https://a/b?(set)"),
            ("https://u@a?b", "https://(set)@a?(set)"),
            ("https://{{tenant}}.example.com/", "https://{{tenant}}.example.com/"),
        ] {
            assert_eq!(without_credentials(text), shown, "{text}");
        }
    }
}
