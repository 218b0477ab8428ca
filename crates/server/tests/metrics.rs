//! `/metrics`: what stands there, what is said of it in the documentation, and what the dashboard asks for.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{CLOSE, Server, Socket};

/// A page in the text format of Prometheus 0.0.4, checked while it is read.
#[derive(Debug, Default)]
struct Page {
    families: BTreeMap<String, Family>,
    /// Each sample by its name and labels as they stand there.
    samples: BTreeMap<String, f64>,
}

#[derive(Debug, Default)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

impl Page {
    fn of(server: &Server) -> Self {
        let get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let response = server.request(get).rest();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        Self::parse(body)
    }

    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let mut page = Self::default();
        let (mut described, mut current) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.is_empty() && !page.families.contains_key(name), "{line}");
                described = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, described, "a description comes first");
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                let family = Family { kind: kind.to_owned(), ..Family::default() };
                page.families.insert(name.to_owned(), family);
                current = name.to_owned();
            } else {
                page.sample(&current, line);
            }
        }
        page.check_histograms();
        page
    }

    fn sample(&mut self, family: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let declared = self.families.get_mut(family).unwrap();
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
        let allowed: &[&str] =
            if declared.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(allowed.contains(&suffix), "{line}");
        let labels = labels.strip_suffix('}').unwrap();
        for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
            let (label, text) = pair.split_once('=').unwrap();
            assert!(text.len() > 2 && text.starts_with('"') && text.ends_with('"'), "{line}");
            declared.labels.insert(label.to_owned());
        }
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        assert!(self.samples.insert(series.to_owned(), value).is_none(), "{line} stands twice");
    }

    /// Buckets grow, and the last has everything.
    fn check_histograms(&self) {
        for (name, _) in self.families.iter().filter(|(_, family)| family.kind == "histogram") {
            let counts =
                self.samples.iter().filter(|(series, _)| series.starts_with(&format!("{name}_count")));
            for (series, count) in counts {
                let labels = series.strip_prefix(&format!("{name}_count")).unwrap().trim_matches(['{', '}']);
                let mut buckets: Vec<(f64, f64)> = self
                    .samples
                    .iter()
                    .filter(|(series, _)| {
                        series.starts_with(&format!("{name}_bucket{{")) && series.contains(labels)
                    })
                    .map(|(series, count)| {
                        let bound = series.split_once("le=\"").unwrap().1.split('"').next().unwrap();
                        (bound.parse().unwrap(), *count)
                    })
                    .collect();
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                assert_eq!(buckets.len(), 20, "{series}");
                assert!(
                    buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
                    "{series}"
                );
                assert_eq!(buckets[19], (f64::INFINITY, *count), "{series}");
            }
        }
    }

    /// Pairs of labels that never came have no sample.
    fn value(&self, series: &str) -> f64 {
        self.samples.get(series).copied().unwrap_or(f64::NAN)
    }
}

#[test]
fn what_happens_is_counted() {
    let server = Server::start();
    let mut ada = server.open("/connection/websocket");
    let mut bob = server.open("/connection/websocket");
    let raw = server.open("/raw/chat");
    for socket in [&mut ada, &mut bob] {
        socket.say(r#"{"id":1,"connect":{}}"#);
        socket.hear();
        socket.say(r#"{"id":2,"subscribe":{"channel":"chat"}}"#);
        let reply = socket.hear();
        assert!(reply.contains(r#""subscribe""#), "{reply}");
    }
    ada.say(r#"{"id":3,"subscribe":{"channel":"chat"}}"#);
    while !ada.hear().contains(r#""error":{"code":105"#) {}
    ada.say(r#"{"id":4,"publish":{"channel":"chat","data":{}}}"#);
    while !bob.hear().contains(r#""pub":"#) {}
    let page = Page::of(&server);
    for (series, expected) in [
        ("antiphon_connections{transport=\"websocket\"}", 2.0),
        ("antiphon_connections{transport=\"raw\"}", 1.0),
        ("antiphon_clients", 2.0),
        ("antiphon_users", 1.0),
        ("antiphon_subscriptions", 2.0),
        ("antiphon_channels", 1.0),
        ("antiphon_commands_total{method=\"connect\"}", 2.0),
        ("antiphon_commands_total{method=\"subscribe\"}", 3.0),
        ("antiphon_commands_total{method=\"publish\"}", 1.0),
        ("antiphon_command_duration_seconds_count{method=\"publish\"}", 1.0),
        ("antiphon_publications_total", 1.0),
        ("antiphon_reply_errors_total{code=\"105\"}", 1.0),
        ("antiphon_reply_errors_total{code=\"other\"}", 0.0),
        ("antiphon_history_channels", 1.0),
        ("antiphon_history_publications", 1.0),
        ("antiphon_http_requests_total{route=\"websocket\",status=\"101\"}", 2.0),
        ("antiphon_http_requests_total{route=\"raw\",status=\"101\"}", 1.0),
    ] {
        assert_eq!(page.value(series), expected, "{series}");
    }
    let bytes = [r#"{"id":1,"connect":{}}"#, r#"{"id":2,"subscribe":{"channel":"chat"}}"#].map(str::len);
    let bytes = 2 * bytes.iter().sum::<usize>()
        + bytes[1]
        + r#"{"id":4,"publish":{"channel":"chat","data":{}}}"#.len();
    assert_eq!(page.value("antiphon_command_bytes_total"), bytes as f64);
    assert!(page.value("antiphon_reply_bytes_total") > 0.0 && page.value("antiphon_history_bytes") > 0.0);

    // Ada goes by herself, and comes back for what she missed; Bob talks nonsense.
    ada.send(CLOSE, &1000_u16.to_be_bytes());
    ended(&mut ada);
    bob.say(r#"{"id":9}"#);
    ended(&mut bob);
    drop(raw);
    let mut again = server.open("/connection/websocket");
    again.say(r#"{"id":1,"connect":{}}"#);
    again.hear();
    again.say(r#"{"id":2,"subscribe":{"channel":"chat","recover":true,"epoch":"other"}}"#);
    assert!(again.hear().contains(r#""was_recovering":true"#));
    server.request("nonsense\r\n\r\n").rest();
    for path in ["/nothing", "/health"] {
        server
            .request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
            .rest();
    }
    let page = settled(
        &server,
        &[
            ("antiphon_connections{transport=\"raw\"}", 0.0),
            ("antiphon_connections{transport=\"websocket\"}", 1.0),
            ("antiphon_clients", 1.0),
            ("antiphon_subscriptions", 1.0),
            ("antiphon_disconnects_total{code=\"3000\"}", 1.0),
            ("antiphon_disconnects_total{code=\"3501\"}", 1.0),
            ("antiphon_recoveries_total{outcome=\"incomplete\"}", 1.0),
            ("antiphon_recoveries_total{outcome=\"complete\"}", 0.0),
            ("antiphon_http_requests_total{route=\"none\",status=\"404\"}", 1.0),
            ("antiphon_http_requests_total{route=\"health\",status=\"200\"}", 1.0),
            ("antiphon_http_requests_total{route=\"unread\",status=\"400\"}", 1.0),
        ],
    );
    // To Ada, Bob and the raw socket, on one worker or on two; joins and leaves beside.
    assert!(
        page.value("antiphon_deliveries_total") >= 3.0 && page.value("antiphon_delivery_bytes_total") > 0.0
    );
    assert!([1.0, 2.0].contains(&page.value("antiphon_delivery_lag_seconds_count")));
}

#[test]
fn who_does_not_read_is_counted() {
    let server = Server::start();
    let idle = server.open("/raw/flood");
    let mut loud = server.open("/raw/flood");
    let message = "x".repeat(60_000);
    // More than the operating system and the server keep for one connection.
    for _ in 0..1000 {
        loud.say(&message);
        assert_eq!(loud.hear().len(), message.len());
    }
    let one = [("antiphon_slow_clients_total{transport=\"raw\"}", 1.0)];
    settled(&server, &one);
    drop(idle);
    settled(&server, &[one[0], ("antiphon_connections{transport=\"raw\"}", 1.0)]);
}

/// Reads until the Close frame, and closes.
fn ended(socket: &mut Socket) {
    while socket.receive().0 != CLOSE {}
    socket.stream.shutdown(Shutdown::Both).unwrap();
}

/// The page as soon as the samples have these values.
fn settled(server: &Server, expected: &[(&str, f64)]) -> Page {
    let start = Instant::now();
    loop {
        let page = Page::of(server);
        let others: Vec<_> = expected.iter().filter(|(series, value)| page.value(series) != *value).collect();
        if others.is_empty() {
            return page;
        }
        let found: Vec<_> = others.iter().map(|(series, _)| page.value(series)).collect();
        assert!(start.elapsed() < Duration::from_secs(10), "{others:?}, and not {found:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn document(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn each_metric_is_documented() {
    let server = Server::start();
    // So that there are samples with all labels, where that does not take an application.
    server.request("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").rest();
    let post =
        "POST /api/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    server.request(post).rest();
    let page = Page::of(&server);

    let text = document("docs/src/metrics.md");
    let mut documented = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        let Some(family) = page.families.get(name) else {
            assert!(
                !["counter", "gauge", "histogram"].contains(&kind),
                "{name} is documented, and is not there"
            );
            continue;
        };
        assert_eq!(family.kind, kind, "{name}");
        let labels: BTreeSet<_> = labels
            .split(", ")
            .filter(|label| !label.is_empty())
            .map(|label| label.trim_matches('`').to_owned())
            .collect();
        let found: BTreeSet<_> = family.labels.iter().filter(|label| *label != "le").cloned().collect();
        // Without an application there are no samples of hooks.
        assert!(
            found == labels || found.is_empty() && name.starts_with("antiphon_hook_"),
            "{name}: {found:?}"
        );
        assert!(documented.insert(name.to_owned()), "{name} is documented twice");
    }
    let all: BTreeSet<_> = page.families.keys().cloned().collect();
    assert_eq!(documented, all);
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let page = Page::of(&Server::start());
    let dashboard: Value = serde_json::from_str(&document("docs/grafana/antiphon.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39) && dashboard["uid"].is_string());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let rows = panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap());
    let rows: Vec<&str> = rows.collect();
    assert_eq!(rows, ["Clients", "Traffic", "Latency", "Errors", "History", "Hooks", "Process"]);

    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables.iter().any(|variable| variable["name"] == "datasource" && variable["type"] == "datasource")
    );
    let mut expressions: Vec<&str> =
        variables.iter().filter_map(|variable| variable["query"]["query"].as_str()).collect();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            expressions.push(target["expr"].as_str().unwrap());
        }
    }
    let mut wanted = BTreeSet::new();
    for expression in expressions {
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: Vec<_> =
            words.filter(|word| word.starts_with("antiphon_") || word.starts_with("process_")).collect();
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            let found =
                page.families.get(family).unwrap_or_else(|| panic!("{expression}: there is no {family}"));
            assert_eq!(name != family, found.kind == "histogram", "{expression}");
            wanted.insert(family.to_owned());
        }
    }
    // Whoever adds a metric decides whether it is to be seen.
    let unseen: Vec<_> = page.families.keys().filter(|name| !wanted.contains(*name)).collect();
    assert!(unseen.is_empty(), "the dashboard shows nothing of {unseen:?}");
}
