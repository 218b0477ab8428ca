//! `antiphon agent`, and the server that is one, against the real server.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use serde_json::Value;
use support::{Server, antiphon, run};

fn agent(arguments: &[&str], server: &Server) -> (Option<i32>, String, String) {
    run(
        antiphon().args(["agent", "--url", &format!("http://127.0.0.1:{}", server.port)]).args(arguments),
        b"",
    )
}

/// The first publications of a channel.
fn published(channel: &str, count: &str, server: &Server) -> Vec<Value> {
    let url = format!("ws://127.0.0.1:{}/connection/websocket", server.port);
    let arguments = ["sub", channel, "--since", "0", "--count", count, "--url", &url];
    let (status, output, errors) = run(antiphon().args(arguments), b"");
    assert_eq!(status, Some(0), "{errors}");
    output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].clone()).collect()
}

#[test]
fn it_reports_this_machine_as_often_as_it_is_told_to() {
    let server = Server::start();
    let arguments = ["--channel", "attic", "--name", "attic-1", "--interval", "200ms", "--count", "2"];
    let (status, _, errors) = agent(&arguments, &server);
    assert_eq!(status, Some(0), "{errors}");
    let reports = published("attic", "2", &server);
    for report in &reports {
        assert_eq!((&report["agent"], &report["interval_s"]), (&"attic-1".into(), &0.2.into()));
        assert!(report["memory"]["used"].as_u64() > Some(0), "{report}");
        assert_eq!(report.get("server"), None);
    }
    assert!(reports[0]["at"].as_u64() < reports[1]["at"].as_u64());
}

#[test]
fn a_server_in_development_mode_reports_its_own_machine() {
    let server = Server::start();
    // Of itself it tells when a second has passed.
    let reports = published("monitoring", "3", &server);
    let Some(report) = reports.last() else { panic!("three were asked for") };
    assert!(report["cores"].as_u64() > Some(0), "{report}");
    assert!(report["agent"].as_str().is_some_and(|name| !name.is_empty()), "{report}");
    assert_eq!(report["server"]["connections"], 1, "{report}");
    assert!(report["server"]["memory_bytes"].as_u64() > Some(0), "{report}");
}

#[test]
fn what_it_cannot_do_it_says() {
    let server = Server::start();
    let (status, _, errors) = agent(&["--interval", "20ms"], &server);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("20ms is shorter than 200 ms, the shortest interval"), "{errors}");
    let arguments = ["agent", "--url", "http://127.0.0.1:9", "--interval", "200ms"];
    let (status, _, errors) = run(antiphon().args(arguments), b"");
    assert_eq!(status, Some(1));
    assert!(errors.contains("127.0.0.1:9"), "{errors}");
}
