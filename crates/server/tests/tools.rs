//! The tools that talk to a server: `connect` and `bench echo`.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::io::Write as _;
use std::process::{Output, Stdio};

use support::{Server, antiphon};

/// Runs `antiphon connect` with this as its standard input.
fn connect(arguments: &[&str], url: &str, input: &[u8]) -> Output {
    let mut command = antiphon();
    command.arg("connect").args(arguments).arg(url);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A tool that has failed does not read on.
    let _ = feeder.join().unwrap();
    output
}

fn url(server: &Server, path: &str) -> String {
    format!("ws://127.0.0.1:{}{path}", server.port)
}

#[test]
fn lines_go_out_and_messages_come_in() {
    let server = Server::start();
    let echo = url(&server, "/echo");
    let many: Vec<u8> = (0..20_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    for (arguments, input, output) in [
        (&["--once"][..], &b"hi\n"[..], &b"hi\n"[..]),
        (&["--once"], b"a\nb\n", b"a\n"),
        (&[], b"a\nb\n\nc", b"a\nb\n\nc\n"),
        (&[], b"", b""),
        (&["--binary"], b"\xff\x00\n", b"\xff\x00\n"),
        (&[], &many, &many),
        (&["--deflate"], &many, &many),
    ] {
        let got = connect(arguments, &echo, input);
        let said = String::from_utf8_lossy(&got.stderr);
        assert!(got.status.success(), "{arguments:?}: {said}");
        assert!(got.stdout == output, "{arguments:?}: {} of {} bytes", got.stdout.len(), output.len());
        assert_eq!(said, "");
    }
}

#[test]
fn once_waits_for_a_message_after_the_end_of_input() {
    let server = Server::start();
    let listener = {
        let channel = url(&server, "/raw/a");
        std::thread::spawn(move || connect(&["--once"], &channel, b""))
    };
    let mut speaker = server.open("/raw/a");
    // It is not known when the listener is there.
    while !listener.is_finished() {
        speaker.say("news");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = listener.join().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"news\n");
}

#[test]
fn what_goes_wrong_is_told_and_is_the_status() {
    let server = Server::start();
    let closed_port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("ws://{}/", listener.local_addr().unwrap())
    };
    for (arguments, url, input, says) in [
        (&[][..], url(&server, "/nope"), &b""[..], "404"),
        (&[], url(&server, "/connection/websocket"), b"junk\n", "3501"),
        (&[], url(&server, "/echo"), b"\xff\n", "--binary"),
        (&["-H", "no colon"], url(&server, "/echo"), b"", "colon"),
        (&["-H", "Host: other"], url(&server, "/echo"), b"", "Host"),
        (&["-H", "Origin: http://evil.example"], url(&server, "/echo"), b"", "403"),
        (&["--subprotocol", "mqtt"], url(&server, "/connection/websocket"), b"", "400"),
        (&[], "http://127.0.0.1/".into(), b"", "ws://"),
        (&[], closed_port.clone(), b"", "refused"),
        (&[], closed_port.replace("ws:", "wss:"), b"", "refused"),
        (&["--proxy", &closed_port.replace("ws:", "http:")], "ws://example.com/".into(), b"", "refused"),
        (&["--proxy", "gopher://a"], url(&server, "/echo"), b"", "over \"gopher\""),
        (&["--proxy", "http://u:secret@a/path"], url(&server, "/echo"), b"", "leave out the path"),
        (&["--cacert", "/nowhere/ca.pem"], url(&server, "/echo"), b"", "/nowhere/ca.pem"),
    ] {
        let output = connect(arguments, &url, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{url} {arguments:?}: {said}");
        assert!(said.starts_with("antiphon: ") && said.contains(says), "{url} {arguments:?}: {said}");
        assert!(!said.contains("secret"), "a password is shown: {said}");
    }
}

#[test]
fn a_ping_tells_the_round_trip_time() {
    let server = Server::start();
    let mut command = antiphon();
    let mut child = command
        .args(["connect", "--ping", "20ms", &url(&server, "/echo")])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("round trip: "));
}

#[test]
fn a_bench_counts_what_comes_back() {
    let server = Server::start();
    let run = |path: &str| {
        antiphon()
            .args(["bench", "echo", "--json", "-c", "3", "-p", "4", "-s", "100", "-d", "300ms"])
            .arg(url(&server, path))
            .output()
            .unwrap()
    };
    let output = run("/echo");
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["messages"].as_u64() > Some(10), "{report}");
    let latency = &report["latency_us"];
    assert!(latency["min"].as_f64() <= latency["p50"].as_f64(), "{report}");
    assert!(latency["p99"].as_f64() <= latency["max"].as_f64(), "{report}");
    assert!(latency["min"].as_f64() > Some(0.0), "{report}");
    // Not an echo.
    assert_eq!(run("/connection/websocket").status.code(), Some(1));
}
