//! How the server begins and ends.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use support::{Server, antiphon, handshake};

fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty());
    text
}

/// A file in a folder of its own, gone with the test's run.
fn file(name: &str, text: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_signal_closes_everything_and_the_server_ends_well() {
    let mut server = Server::start();
    let mut echo: Vec<_> = (0..5).map(|_| server.open("/echo")).collect();
    let mut raw = server.open("/raw/a");
    let mut client = server.open("/connection/websocket");
    client.say(r#"{"id":1,"connect":{}}"#);
    client.hear();
    let mut half = server.request("GET / HTTP/1.1\r\nHost:");
    let mut idle = server.request("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(idle.head().starts_with("HTTP/1.1 200 "));
    server.terminate();
    for socket in &mut echo {
        assert_eq!(socket.closed().0, 1001);
    }
    assert_eq!(raw.closed().0, 1001);
    assert_eq!(client.closed(), (3001, "shutdown".into()));
    assert_eq!(half.rest(), "");
    assert_eq!(idle.rest(), "ok\n");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_client_that_does_not_answer_cannot_hold_the_server() {
    let mut server = Server::spawn(
        antiphon()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ANTIPHON_SHUTDOWN__DRAIN_TIMEOUT", "300ms"),
    );
    let _silent = server.open("/echo");
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn settings_that_are_wrong_are_named() {
    let good = file("good.toml", "[http]\nlisten = [\"127.0.0.1:0\"]\n");
    let unknown = file("unknown.toml", "[http]\nlisten = []\n\n[websocket]\ncompresion = true\n");
    let typed = file("typed.toml", "[echo]\nenabled = 3\n");
    for (path, says) in [
        (
            &*unknown,
            "unknown.toml:5: there is no key websocket.compresion; the nearest is websocket.compression",
        ),
        (&*typed, "typed.toml:2: echo.enabled: invalid type"),
        ("/nowhere/a.toml", "/nowhere/a.toml cannot be read"),
    ] {
        for command in [&["serve", "--config", path][..], &["config", "check", path]] {
            let error = refused(&antiphon().args(command).output().unwrap());
            assert!(error.contains(says), "{command:?}: {error}");
        }
    }
    assert!(antiphon().args(["config", "check", &good]).status().unwrap().success());
    let defaults = antiphon().args(["config", "default"]).output().unwrap();
    let defaults = file("default.toml", &String::from_utf8(defaults.stdout).unwrap());
    assert!(antiphon().args(["config", "check", &defaults]).status().unwrap().success());
    let conformance = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/centrifugo.toml");
    assert!(antiphon().args(["config", "check", conformance]).status().unwrap().success());
}

#[test]
fn development_mode_stays_on_this_machine() {
    let error = refused(&antiphon().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap());
    assert!(error.contains("--insecure") && error.contains("--config"), "{error}");
}

#[test]
fn a_taken_port_is_refused_whatever_the_number_of_workers() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for workers in ["1", "2"] {
        let error = refused(
            &antiphon().args(["serve", "--workers", workers, "--listen", &address]).output().unwrap(),
        );
        assert!(error.contains(&address), "{error}");
    }
}

#[test]
fn with_a_configuration_only_what_it_opens_is_open() {
    let closed = file("closed.toml", "");
    let open = file(
        "open.toml",
        "[echo]\nenabled = true\n[client]\nallow_anonymous_connect_without_token = true\n\
         [channel.without_namespace]\nallow_subscribe_for_client = true\nallow_publish_for_client = true\n\
         allow_subscribe_for_anonymous = true\nallow_publish_for_anonymous = true\n",
    );
    for (path, statuses) in [(closed, [404, 404, 403, 101]), (open, [404, 101, 101, 101])] {
        let server = Server::with(&["--config", &path]);
        for (path, expected) in ["/", "/echo", "/raw/a", "/connection/websocket"].iter().zip(statuses) {
            let head = server.request(&handshake(path, "")).head();
            assert_eq!(head[9..12], expected.to_string(), "{path}");
        }
        // Another name than this machine's is nothing unusual outside of development mode.
        let head = server.request("GET /health HTTP/1.1\r\nHost: example.com\r\n\r\n").head();
        assert!(head.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn the_small_commands_print() {
    for (command, says) in [
        (&["version"][..], concat!("antiphon ", env!("CARGO_PKG_VERSION"))),
        (&["completions", "bash"], "_antiphon"),
        (&["man"], ".TH antiphon"),
        (&["config", "schema"], "\"$schema\""),
    ] {
        let output = antiphon().args(command).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(says), "{command:?}");
    }
}
