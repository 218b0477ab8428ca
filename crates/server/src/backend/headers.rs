//! The headers of a question: whose they are, and which wins.

use std::collections::BTreeMap;

use antiphon_hub::backend::Asker;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that belong to one connection or one message, or that would ask for an answer which cannot be read. They are never
/// passed on.
const HOP: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Which headers a question has. A header of the client's request wins over one of the same name that the client wrote into
/// `connect`, and that over a static one.
#[derive(Debug, Clone)]
pub(super) struct HeaderRules {
    fixed: HeaderMap,
    passed: Vec<HeaderName>,
    emulated: Vec<HeaderName>,
}

impl HeaderRules {
    /// # Errors
    /// When a name or a value cannot stand in a request.
    pub(super) fn new(
        fixed: &BTreeMap<String, String>,
        passed: &[String],
        emulated: &[String],
    ) -> Result<Self, String> {
        Ok(Self {
            fixed: fixed_headers(fixed)?,
            passed: names("http_headers", passed)?,
            emulated: names("emulated_headers", emulated)?,
        })
    }

    /// The headers of a question about somebody.
    pub(super) fn apply(&self, asker: &Asker) -> HeaderMap {
        let mut headers = self.fixed.clone();
        for (name, value) in asker.emulated_headers.iter() {
            // A client may write anything there; what is no header is passed over.
            let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                continue;
            };
            if self.emulated.contains(&name) {
                headers.insert(name, value);
            }
        }
        for wanted in &self.passed {
            let mut first = true;
            let sent = asker.headers.iter().filter(|(name, _)| wanted.as_str() == &**name);
            for value in sent.filter_map(|(_, value)| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                if std::mem::take(&mut first) {
                    headers.insert(wanted.clone(), value);
                } else {
                    headers.append(wanted.clone(), value);
                }
            }
        }
        headers.insert(header::CONTENT_TYPE, JSON);
        headers
    }
}

/// Headers that every request to the application has.
///
/// # Errors
/// When a name or a value cannot stand in a request.
pub(super) fn fixed_headers(fixed: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in fixed {
        let parsed = parse("static_headers", name)?;
        if HOP.contains(&parsed.as_str()) {
            return Err(format!("static_headers sets {name:?}, which HTTP itself sets; take it out"));
        }
        // The value may be a secret.
        let value =
            value.parse().map_err(|_| format!("the value of {name:?} in static_headers cannot be sent"))?;
        headers.insert(parsed, value);
    }
    headers.insert(header::CONTENT_TYPE, JSON);
    Ok(headers)
}

fn names(list: &str, names: &[String]) -> Result<Vec<HeaderName>, String> {
    let mut parsed = Vec::new();
    for name in names {
        let name = parse(list, name)?;
        if name == header::HOST || HOP.contains(&name.as_str()) {
            tracing::warn!("{list} names {name}, which belongs to one connection and is not passed on");
        } else if !parsed.contains(&name) {
            parsed.push(name);
        }
    }
    Ok(parsed)
}

fn parse(list: &str, name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("{name:?} in {list} is not the name of a header"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::asker;
    use super::*;

    fn rules(fixed: &[(&str, &str)], passed: &[&str], emulated: &[&str]) -> Result<HeaderRules, String> {
        let fixed = fixed.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        HeaderRules::new(&fixed, &list(passed), &list(emulated))
    }

    fn sent(rules: &HeaderRules, request: &[(&str, &str)], connect: &[(&str, &str)]) -> Vec<String> {
        let asker = Asker {
            headers: request.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            emulated_headers: std::sync::Arc::new(
                connect.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ),
            ..asker()
        };
        let headers = rules.apply(&asker);
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        assert!(lines.iter().any(|line| line == "content-type: application/json"));
        lines.retain(|line| !line.starts_with("content-type"));
        lines
    }

    #[test]
    fn only_listed_headers_pass_and_the_request_wins() {
        let rules = rules(
            &[("Authorization", "static"), ("X-App", "1")],
            &["Authorization", "COOKIE", "X-Many", "Content-Type", "Host", "Accept-Encoding"],
            &["authorization", "X-Token", "content-type"],
        )
        .unwrap();
        for (request, connect, wanted) in [
            (&[][..], &[][..], &["authorization: static", "x-app: 1"][..]),
            (&[], &[("AUTHORIZATION", "said")], &["authorization: said", "x-app: 1"]),
            (
                &[("authorization", "sent")],
                &[("authorization", "said")],
                &["authorization: sent", "x-app: 1"],
            ),
            // Listed for the one source is not listed for the other.
            (&[("x-token", "sent")], &[("cookie", "said")], &["authorization: static", "x-app: 1"]),
            (
                &[("x-many", "a"), ("x-many", "b"), ("x-other", "c")],
                &[("X-Token", "t")],
                &["authorization: static", "x-app: 1", "x-many: a", "x-many: b", "x-token: t"],
            ),
            // Nobody smuggles a line, another kind of body, or another framing in.
            (
                &[("content-type", "text/xml"), ("host", "h"), ("accept-encoding", "br")],
                &[("x-token", "a\r\nx-app: 2"), ("content-type", "text/xml"), ("", "x")],
                &["authorization: static", "x-app: 1"],
            ),
        ] {
            assert_eq!(sent(&rules, request, connect), wanted, "{request:?} {connect:?}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_at_the_start() {
        for (fixed, passed, says) in [
            (&[("a b", "1")][..], &[][..], r#""a b" in static_headers"#),
            (&[("x-key", "s3cret\n")], &[], r#"value of "x-key""#),
            (&[("Content-Length", "1")], &[], r#"sets "Content-Length""#),
            (&[], &["é"], r#""é" in http_headers"#),
        ] {
            let said = rules(fixed, passed, &[]).unwrap_err();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}
