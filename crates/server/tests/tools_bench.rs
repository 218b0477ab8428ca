//! `antiphon bench` against the real server.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use serde_json::Value;
use support::{Server, antiphon, run};

fn bench(arguments: &[&str], server: &Server, path: &str) -> (Option<i32>, String, String) {
    let url = format!("ws://127.0.0.1:{}{path}", server.port);
    run(antiphon().arg("bench").args(arguments).arg(url), b"")
}

/// The report for machines of a measurement that went well.
fn report(arguments: &[&str], server: &Server, path: &str) -> Value {
    let (status, said, told) = bench(arguments, server, path);
    assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
    serde_json::from_str(&said).unwrap()
}

fn assert_ordered(latency: &Value) {
    let times = ["min", "p50", "p90", "p99", "p99.9", "max"].map(|name| latency[name].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{latency}");
}

const CLIENT: &str = "/connection/websocket";

#[test]
fn a_fan_out_counts_what_reaches_everybody() {
    let server = Server::start();
    for (arguments, path, protocol) in [
        (&["-w", "1"][..], CLIENT, "client"),
        (&["-w", "8", "--channel", "some:@place", "-s", "200"], CLIENT, "client"),
        (&["-w", "4", "--raw"], "/raw/bench", "raw"),
    ] {
        let all = [&["fanout", "--json", "-n", "7", "-d", "200ms"], arguments].concat();
        let report = report(&all, &server, path);
        let count = |name: &str| report[name].as_u64().unwrap();
        assert_eq!((&report["protocol"], count("subscribers")), (&protocol.into(), 7));
        assert_eq!((count("lost"), count("repeated")), (0, 0));
        // What came after the time was up does not count.
        assert!(count("deliveries") > 0 && count("deliveries") <= 7 * count("publications"), "{report}");
        assert_ordered(&report["latency_us"]);
    }
}

#[test]
fn connections_are_counted_as_they_come_and_go() {
    let server = Server::start();
    let report = report(&["connect", "--json", "-c", "3", "-d", "200ms"], &server, CLIENT);
    assert!(report["connects"].as_u64() > Some(0), "{report}");
    assert_eq!(report["failed"], 0);
    assert_ordered(&report["latency_us"]);
}

#[test]
fn idle_connections_stay_and_are_weighed() {
    let server = Server::with(&["--workers", "1"]);
    let pid = server.pid().to_string();
    let report_of = |more: &[&str]| {
        report(&[&["idle", "--json", "-c", "100", "-d", "100ms"], more].concat(), &server, CLIENT)
    };
    let report = report_of(&["--pid", &pid]);
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((count("stayed"), count("lost"), &report["subscribed"]), (100, 0, &true.into()));
    assert!(report["memory"]["before"].as_u64() > Some(100_000), "{report}");
    let report = report_of(&["--no-subscribe"]);
    assert_eq!((&report["subscribed"], &report["memory"]), (&false.into(), &Value::Null));
}

#[test]
fn idle_connections_answer_pings() {
    let server =
        Server::spawn(antiphon().args(["serve", "--listen", "127.0.0.1:0", "--workers", "1"]).envs([
            ("ANTIPHON_CLIENT__PING_INTERVAL", "600ms"),
            ("ANTIPHON_CLIENT__PONG_TIMEOUT", "500ms"),
            ("ANTIPHON_CLIENT__STALE_CLOSE_DELAY", "300ms"),
        ]));
    let report = report(&["idle", "--json", "-c", "5", "-d", "1800ms"], &server, CLIENT);
    // One that did not answer would be lost.
    assert_eq!((&report["stayed"], &report["lost"]), (&5.into(), &0.into()));
    assert!(report["pings"].as_u64() >= Some(5), "{report}");
}

#[test]
fn reports_are_for_people_too() {
    let server = Server::start();
    for (arguments, says) in [
        (&["fanout", "-n", "2", "-d", "100ms"][..], "0 lost, 0 twice or out of order"),
        (&["connect", "-c", "1", "-d", "100ms"], "0 failed"),
        (&["idle", "-c", "3", "-d", "10ms"], "3 stayed, 0 were lost"),
    ] {
        let (status, said, told) = bench(arguments, &server, CLIENT);
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn what_cannot_be_measured_is_told_and_is_the_status() {
    let server = Server::start();
    let way_out = "does the URL end in /connection/websocket?";
    for (arguments, path, says) in [
        (&["fanout", "-n", "2"][..], "/echo", way_out),
        (&["connect", "-d", "100ms"], "/echo", way_out),
        (&["idle", "-c", "2"], "/echo", way_out),
        (&["fanout", "-n", "2", "--token", "x"], CLIENT, "3500"),
        (&["connect", "-d", "100ms", "--token", "x"], CLIENT, "3500"),
        (&["idle", "-c", "2", "--token", "x"], CLIENT, "3500"),
        (&["idle", "-c", "1000000"], CLIENT, "open files"),
        (&["idle", "-c", "2", "--pid", "4194305"], CLIENT, "--pid 4194305"),
        (&["connect", "-d", "100ms"], "/nope", "404"),
    ] {
        let (status, said, told) = bench(arguments, &server, path);
        assert_eq!((status, &*said), (Some(1), ""), "{path} {arguments:?}: {told}");
        assert!(told.starts_with("antiphon: ") && told.contains(says), "{path} {arguments:?}: {told}");
    }
}
