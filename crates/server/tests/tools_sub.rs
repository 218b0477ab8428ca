//! `antiphon sub`, against the real server, and against one that follows a script where the connection is to fail.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use antiphon_socket::proto::CloseCode;
use support::{Server, antiphon, run};
use tokio::net::TcpListener;

/// What a connection of the script is about.
enum Step {
    /// The next message holds this.
    Hear(&'static str),
    Say(&'static str),
    /// A Close frame.
    Close(u16, &'static str),
    /// The stream ends without one.
    Drop,
}
use Step::{Close, Drop, Hear, Say};

/// Serves one connection after the other as the script says. Gives the URL, and in the end whether all went as written.
fn scripted(script: Vec<Vec<Step>>) -> (String, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            for connection in script {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = antiphon_socket::accept(stream).await.unwrap();
                let mut is_over = false;
                for step in connection {
                    match step {
                        Hear(wanted) => {
                            let heard = tokio::time::timeout(Duration::from_secs(10), socket.recv()).await;
                            let heard = heard.unwrap().unwrap().unwrap();
                            assert!(heard.as_text().unwrap().contains(wanted), "{wanted}: {heard:?}");
                        }
                        Say(text) => socket.send(text).await.unwrap(),
                        Close(code, reason) => {
                            socket.close(CloseCode::new(code), reason).await.unwrap();
                            is_over = true;
                        }
                        Drop => is_over = true,
                    }
                }
                // The client parts in order where the script does not say otherwise.
                if !is_over {
                    let parted = tokio::time::timeout(Duration::from_secs(10), socket.recv()).await;
                    assert!(parted.unwrap().unwrap().is_none());
                }
            }
        });
    });
    (format!("ws://{}", receiver.recv().unwrap()), server)
}

fn subscribe(arguments: &[&str], url: &str) -> (Option<i32>, String, String) {
    run(antiphon().arg("sub").args(arguments).args(["--url", url]), b"")
}

const CONNECTED: &str = r#"{"id":1,"connect":{"client":"c","ping":25,"pong":true}}"#;
const RECOVERABLE: &str =
    r#"{"id":2,"subscribe":{"recoverable":true,"positioned":true,"epoch":"e","offset":3}}"#;

#[test]
fn what_is_published_on_the_real_server_is_printed() {
    let server = Server::start();
    let url = format!("ws://127.0.0.1:{}/connection/websocket", server.port);
    let mut listener = antiphon()
        .args(["sub", "a", "b", "--count", "3", "--url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines();
    let mut speaker = server.open("/raw/b");
    let (sender, first) = mpsc::channel();
    let reader = thread::spawn(move || {
        sender.send(lines.next().unwrap().unwrap()).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>()
    });
    // It is not known when the listener is there.
    let first = loop {
        speaker.say("\"hello\"");
        if let Ok(line) = first.recv_timeout(Duration::from_millis(20)) {
            break line;
        }
    };
    let publication: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&publication["channel"], &publication["data"]), (&"b".into(), &"hello".into()));
    for _ in 0..2 {
        speaker.say("1");
    }
    assert_eq!(reader.join().unwrap().len(), 2);
    let output = listener.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn a_lost_connection_is_made_up_for() {
    let (url, server) = scripted(vec![
        vec![
            Hear(r#""connect":{"token":"t""#),
            Say(CONNECTED),
            Hear(r#""channel":"a","token":"s""#),
            Say(RECOVERABLE),
            Say("{}"),
            Hear("{}"),
            Say(r#"{"push":{"channel":"a","pub":{"data":1,"offset":4}}}"#),
            Drop,
        ],
        vec![
            Hear("connect"),
            Say(CONNECTED),
            Hear(r#""recover":true,"epoch":"e","offset":4,"#),
            Say(
                r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":4,"was_recovering":true,"recovered":true,"publications":[{"data":2,"offset":5}]}}"#,
            ),
            Close(3001, "shutdown"),
        ],
        vec![
            Hear("connect"),
            Say(CONNECTED),
            Hear(r#""recover":true,"epoch":"e","offset":5,"#),
            Say(r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"f","offset":9,"was_recovering":true}}"#),
            Say(r#"{"push":{"channel":"a","pub":{"data":3,"offset":10}}}"#),
            Close(3500, "invalid token"),
        ],
    ]);
    let (status, said, told) = subscribe(&["a", "--token", "t", "--sub-token", "s"], &url);
    server.join().unwrap();
    assert_eq!(status, Some(1));
    let expected = [(4, "e", 1), (5, "e", 2), (10, "f", 3)].map(|(offset, epoch, data)| {
        format!("{{\"channel\":\"a\",\"offset\":{offset},\"epoch\":\"{epoch}\",\"data\":{data}}}\n")
    });
    assert_eq!(said, expected.concat());
    let told: Vec<_> = told.lines().collect();
    assert!(told[0].contains("without a Close frame; connecting again in"), "{told:?}");
    assert!(told[1].contains("disconnected by the server: 3001 shutdown; connecting again in"), "{told:?}");
    assert_eq!(told[2], "antiphon: a: missed publications: not all after offset 5 can be recovered");
    assert!(told[3].ends_with("disconnected by the server: 3500 invalid token"), "{told:?}");
    assert_eq!(told.len(), 4);
}

#[test]
fn the_past_comes_first() {
    for (arguments, script, expected) in [
        (
            &["a", "--since", "3", "--epoch", "e", "--once"][..],
            vec![
                Hear("connect"),
                Say(CONNECTED),
                Hear(r#""recover":true,"epoch":"e","offset":3,"#),
                Say(
                    r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","offset":3,"recovered":true,"publications":[{"data":1,"offset":4},{"data":2,"offset":5}]}}"#,
                ),
            ],
            &[4][..],
        ),
        (
            &["a", "--history", "2", "--count", "3"],
            vec![
                Hear("connect"),
                Say(CONNECTED),
                Hear("subscribe"),
                Say(RECOVERABLE),
                Hear(r#""history":{"channel":"a","limit":2,"reverse":true}"#),
                Say(r#"{"push":{"channel":"a","pub":{"data":1,"offset":4}}}"#),
                Say(
                    r#"{"id":3,"history":{"publications":[{"data":1,"offset":3},{"data":1,"offset":2}],"epoch":"e","offset":3}}"#,
                ),
            ],
            &[2, 3, 4],
        ),
    ] {
        let (url, server) = scripted(vec![script]);
        let (status, said, told) = subscribe(arguments, &url);
        server.join().unwrap();
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        let offsets: Vec<_> = said
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["offset"].clone())
            .collect();
        assert_eq!(offsets, expected, "{arguments:?}");
    }
}

#[test]
fn the_past_of_the_real_server_is_printed() {
    let server = Server::start();
    let url = format!("ws://127.0.0.1:{}/connection/websocket", server.port);
    let mut speaker = server.open("/raw/a");
    for n in 1..=5 {
        speaker.say(&n.to_string());
        assert_eq!(speaker.hear(), n.to_string());
    }
    let epoch = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"].as_str().unwrap().to_owned()
    };
    let (_, first, _) = subscribe(&["a", "--since", "0", "--once"], &url);
    let epoch = epoch(&first);
    for (arguments, expected) in [
        (&["--history", "2", "--count", "2"][..], &[4, 5][..]),
        (&["--history", "9", "--count", "5"], &[1, 2, 3, 4, 5]),
        (&["--since", "3", "--count", "2"], &[4, 5]),
        (&["--since", "2", "--epoch", &epoch, "--count", "3"], &[3, 4, 5]),
    ] {
        let (status, said, told) = subscribe(&[&["a"], arguments].concat(), &url);
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        let data: Vec<_> = said
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| (line["offset"].as_u64().unwrap(), line["data"].as_u64().unwrap()))
            .collect();
        assert_eq!(data, expected.iter().map(|n| (*n, *n)).collect::<Vec<(u64, u64)>>(), "{arguments:?}");
    }
}

#[test]
fn what_cannot_go_on_is_the_status() {
    let server = Server::start();
    let real = |path: &str| format!("ws://127.0.0.1:{}{path}", server.port);
    for (arguments, url, says) in [
        (&["a", "--token", "x"][..], real("/connection/websocket"), "3500 invalid token"),
        (&["a"], real("/nope"), "404"),
        (&["a"], real("/echo"), "does the URL end in /connection/websocket?"),
        (&["a"], "ws://127.0.0.1:1/".to_owned(), "refused"),
        (&["a"], "http://127.0.0.1/".to_owned(), "ws://"),
        (&["a", "--cacert", "/nowhere/ca.pem"], real("/connection/websocket"), "/nowhere/ca.pem"),
    ] {
        let (status, said, told) = subscribe(arguments, &url);
        assert_eq!((status, &*said), (Some(1), ""), "{url} {arguments:?}: {told}");
        assert!(told.starts_with("antiphon: ") && told.contains(says), "{url} {arguments:?}: {told}");
    }
    // With a number to wait for, a connection that ends is not opened again.
    for (end, says) in [(Close(3001, "shutdown"), "3001 shutdown"), (Drop, "without a Close frame")] {
        let (url, server) =
            scripted(vec![vec![Hear("connect"), Say(CONNECTED), Hear("subscribe"), Say(RECOVERABLE), end]]);
        let (status, _, told) = subscribe(&["a", "--count", "2"], &url);
        server.join().unwrap();
        assert_eq!((status, told.contains(says)), (Some(1), true), "{told}");
    }
}
