//! Which pages may use the endpoints: one policy for all of them.

use crate::http::{Answer, Http};
use crate::rig::Rig;

/// Method, path, more headers and body of a request that is taken, and the status it has.
type Request = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, u16);

const SOCKET: &str = "/connection/websocket";

const ENDPOINTS: [Request; 7] = [
    (
        "GET",
        SOCKET,
        &[
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
        "",
        101,
    ),
    ("POST", "/connection/http_stream", &[], r#"{"id":1,"connect":{}}"#, 200),
    ("GET", "/connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D", &[], "", 200),
    ("POST", "/connection/sse", &[], r#"{"id":1,"connect":{}}"#, 200),
    ("POST", "/connection/poll", &[], r#"{"commands":[{"id":1,"connect":{}}]}"#, 200),
    // A page hears of errors as well.
    ("POST", "/emulation", &[], r#"{"session":"none","data":"{}"}"#, 410),
    ("GET", "/events?channel=a", &[], "", 200),
];

const HOST: &str = "app.test:8000";

fn ask(rig: &Rig, request: &Request, origins: &[&str]) -> Answer {
    let (method, path, more, body, _) = request;
    let mut headers = vec![("host", HOST)];
    headers.extend(*more);
    headers.extend(origins.iter().map(|origin| ("origin", *origin)));
    let mut http = Http::connect(rig.port());
    http.send(method, path, &headers, body.as_bytes());
    http.head()
}

fn listing(origins: &str) -> Rig {
    Rig::with(&[("CLIENT__ALLOWED_ORIGINS", origins)])
}

#[test]
fn one_policy_holds_everywhere() {
    let rig = listing("https://example.com, https://other.test:8443, https://[2001:db8::1]");
    for (origins, is_let_in) in [
        (&[][..], true),
        // The same host.
        (&["http://app.test:8000"], true),
        (&["https://app.test:8000"], true),
        (&["http://APP.test:8000"], true),
        (&["http://app.test"], false),
        (&["http://app.test:8001"], false),
        (&["ftp://app.test:8000"], false),
        (&["http://app.test:8000.evil.com"], false),
        (&["http://www.app.test:8000"], false),
        // What is listed.
        (&["https://example.com"], true),
        (&["https://example.com:443"], true),
        (&["HTTPS://Example.COM"], true),
        (&["https://other.test:8443"], true),
        (&["https://[2001:db8::1]"], true),
        (&["https://[2001:DB8::1]"], true),
        // What looks like it.
        (&["http://example.com"], false),
        (&["https://example.com:8443"], false),
        (&["https://other.test"], false),
        (&["https://[2001:db8::2]"], false),
        (&["https://2001:db8::1"], false),
        (&["https://evil-example.com"], false),
        (&["https://example.com.evil.com"], false),
        (&["https://sub.example.com"], false),
        (&["https://example.com@evil.com"], false),
        (&["https://evil.com/https://example.com"], false),
        (&["https://example.com/"], false),
        (&["https://example.com evil"], false),
        (&["https://example.com, https://example.com"], false),
        (&["example.com"], false),
        (&["null"], false),
        (&["file://"], false),
        (&["*"], false),
        (&["http://127.0.0.1:8000"], false),
        // More than one.
        (&["https://example.com", "https://example.com"], false),
        (&["https://example.com", "https://evil.com"], false),
    ] {
        let mut refusals = Vec::new();
        for request in &ENDPOINTS {
            let place = format!("{origins:?} at {}", request.1);
            let answer = ask(&rig, request, origins);
            let allowed = answer.header("access-control-allow-origin");
            let credentials = answer.header("access-control-allow-credentials");
            if !is_let_in {
                assert!((400..404).contains(&answer.status), "{place}: {answer:?}");
                assert_eq!((allowed, credentials), (None, None), "{place}");
                refusals.push(answer.status);
                continue;
            }
            assert_eq!(answer.status, request.4, "{place}");
            // A WebSocket has no use for these.
            if request.1 != SOCKET {
                assert_eq!(allowed, origins.first().copied(), "{place}");
                assert_eq!(credentials, origins.first().map(|_| "true"), "{place}");
                assert_eq!(answer.header("vary"), Some("origin"), "{place}");
            }
        }
        refusals.dedup();
        assert!(refusals.len() <= 1, "{origins:?} hears {refusals:?}");
    }
}

#[test]
fn every_page_may_where_that_is_set_but_without_cookies() {
    let rig = listing("*");
    for origin in ["https://anything.test", "null", "http://app.test:8000", "https://example.com:1"] {
        for request in &ENDPOINTS {
            let answer = ask(&rig, request, &[origin]);
            assert_eq!(answer.status, request.4, "{origin} at {}", request.1);
            if request.1 != SOCKET {
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                assert_eq!(answer.header("access-control-allow-credentials"), None);
            }
        }
    }
    for request in &ENDPOINTS {
        let answer = ask(&rig, request, &["https://a.test", "https://b.test"]);
        assert_eq!(answer.status, 403, "{}", request.1);
    }
}

#[test]
fn preflights_say_what_may_be_asked() {
    let rig = listing("https://example.com");
    for (_, path, _, _, _) in ENDPOINTS.iter().filter(|request| request.1 != SOCKET) {
        let preflight = |origin| {
            let headers = [
                ("host", HOST),
                ("origin", origin),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type"),
            ];
            Http::once(rig.port(), "OPTIONS", path, &headers, b"")
        };
        let answer = preflight("https://example.com");
        assert_eq!(answer.status, 204, "{path}");
        let methods = match path.split('?').next() {
            Some("/connection/sse") => "GET, POST, OPTIONS",
            Some("/events") => "GET, OPTIONS",
            _ => "POST, OPTIONS",
        };
        for (name, value) in [
            ("access-control-allow-origin", "https://example.com"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", "content-type, authorization, last-event-id"),
            ("access-control-max-age", "600"),
            ("vary", "origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let refused = preflight("https://evil-example.com");
        assert_eq!(refused.status, 403, "{path}");
        for name in ["allow-origin", "allow-methods", "allow-headers", "max-age"] {
            assert_eq!(refused.header(&format!("access-control-{name}")), None, "{path}");
        }
    }
}
