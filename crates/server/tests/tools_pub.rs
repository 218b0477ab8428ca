//! `antiphon pub`, against a server API of a few lines.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::{fs, thread};

use antiphon_socket::rustls::ServerConfig;
use antiphon_socket::rustls::crypto::ring;
use antiphon_socket::rustls::pki_types::PrivateKeyDer;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use support::{Server, antiphon, run};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request, as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    /// Which connection it came on.
    connection: usize,
    path: String,
    key: Option<String>,
    body: String,
}

/// A server API whose answers depend on the channel.
#[derive(Clone, Default)]
struct Api {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    /// Serves on a thread of its own until the test ends.
    fn start(&self, tls: Option<TlsAcceptor>) -> SocketAddr {
        let (sender, receiver) = mpsc::channel();
        let api = self.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                for connection in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (api, tls) = (api.clone(), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => api.serve(stream, connection).await,
                            Some(tls) => api.serve(tls.accept(stream).await.unwrap(), connection).await,
                        }
                    });
                }
            });
        });
        receiver.recv().unwrap()
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, connection: usize) {
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(self.answer(request, connection).await) });
        // A client may go away.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>, connection: usize) -> Response<Full<Bytes>> {
        let key = request.headers().get("x-api-key").map(|key| key.to_str().unwrap().to_owned());
        let path = request.uri().path().to_owned();
        assert_eq!(request.headers()["content-type"], "application/json");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let channel = serde_json::from_str::<Value>(&body).unwrap()["channel"].as_str().unwrap().to_owned();
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen { connection, path, key, body });
            seen.len()
        };
        let (status, answer) = match &*channel {
            "plain" => (200, r#"{"result":{}}"#.to_owned()),
            "unknown" => (200, r#"{"error":{"code":102,"message":"unknown channel"}}"#.to_owned()),
            "closed" => (401, String::new()),
            "broken" => (500, "it is broken".to_owned()),
            "junk" => (200, "hello".to_owned()),
            _ => (200, format!(r#"{{"result":{{"offset":{number},"epoch":"e"}}}}"#)),
        };
        let mut response = Response::builder().status(status);
        if channel == "once" {
            response = response.header("connection", "close");
        }
        response.body(Full::new(answer.into())).unwrap()
    }
}

/// Runs `antiphon pub`, away from the environment of whoever tests.
fn publish(arguments: &[&str], url: &str, input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = antiphon();
    command.env_remove("ANTIPHON_HTTP_API__KEY").arg("pub").args(["--url", url]).args(arguments);
    run(&mut command, input)
}

#[test]
fn what_is_published_arrives_as_it_was_said() {
    let api = Api::default();
    let url = format!("http://{}", api.start(None));
    for (arguments, body) in [
        (&["news", "{\"a\": 1.50}"][..], r#"{"channel":"news","data":{"a": 1.50}}"#),
        (&["news", "hi there"], r#"{"channel":"news","data":"hi there"}"#),
        (&["news", "-5"], r#"{"channel":"news","data":-5}"#),
        (
            &["news", "1", "--tag", "b=2", "--tag", "a=x=y", "--idempotency-key", "k", "--skip-history"],
            r#"{"channel":"news","data":1,"tags":{"a":"x=y","b":"2"},"idempotency_key":"k","skip_history":true}"#,
        ),
    ] {
        let (status, said, told) = publish(arguments, &url, b"");
        let seen = api.seen.lock().unwrap().clone();
        let number = seen.len();
        let Seen { path, key, body: got, .. } = seen.last().unwrap();
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        assert_eq!(said, format!("{{\"offset\":{number},\"epoch\":\"e\"}}\n"));
        assert_eq!((&**got, &**path, key), (body, "/api/publish", &None));
    }
    let (_, said, _) = publish(&["plain", "1"], &url, b"");
    assert_eq!(said, "{\"offset\":0,\"epoch\":\"\"}\n");
}

#[test]
fn lines_are_published_in_order_on_one_connection() {
    let api = Api::default();
    let url = format!("http://{}/below/", api.start(None));
    let (status, said, told) = publish(&["news", "--idempotency-key", "k"], &url, b"1\n\ntwo\r\n{\"n\":3}");
    assert_eq!((status, &*told), (Some(0), ""));
    assert_eq!(said, [1, 2, 3].map(|n| format!("{{\"offset\":{n},\"epoch\":\"e\"}}\n")).concat());
    let seen = api.seen.lock().unwrap().clone();
    let bodies: Vec<_> = seen.iter().map(|seen| &*seen.body).collect();
    assert_eq!(
        bodies,
        [("1", 1), ("\"two\"", 3), ("{\"n\":3}", 4)].map(|(data, line)| format!(
            r#"{{"channel":"news","data":{data},"idempotency_key":"k-{line}"}}"#
        ))
    );
    assert!(seen.iter().all(|seen| seen.connection == 0 && seen.path == "/below/api/publish"), "{seen:?}");
}

#[test]
fn a_connection_that_the_server_ends_is_opened_again() {
    let api = Api::default();
    let url = format!("http://{}", api.start(None));
    let (status, said, told) = publish(&["once"], &url, b"1\n2\n3\n");
    assert_eq!((status, &*told), (Some(0), ""));
    assert_eq!(said.lines().count(), 3);
    let connections: Vec<_> = api.seen.lock().unwrap().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
}

#[test]
fn the_key_comes_from_the_flag_the_environment_or_the_file() {
    let api = Api::default();
    let url = format!("http://{}", api.start(None));
    let directory = std::env::temp_dir().join(format!("antiphon-pub-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("antiphon.toml");
    fs::write(&file, "[http_api]\nkey = \"from the file\"\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, variable, expected) in [
        (&["--key", "flag", "--config", file][..], Some("variable"), Some("flag")),
        (&["--config", file], Some("variable"), Some("variable")),
        (&["--config", file], None, Some("from the file")),
        (&[], None, None),
    ] {
        let mut command = antiphon();
        command
            .env_remove("ANTIPHON_HTTP_API__KEY")
            .args(["pub", "news", "1", "--url", &url])
            .args(arguments);
        command.envs(variable.map(|value| ("ANTIPHON_HTTP_API__KEY", value)));
        let (status, _, told) = run(&mut command, b"");
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        let seen = api.seen.lock().unwrap().last().unwrap().key.clone();
        assert_eq!(seen.as_deref(), expected, "{arguments:?} {variable:?}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_goes_wrong_is_told_and_is_the_status() {
    let api = Api::default();
    let url = format!("http://{}", api.start(None));
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (arguments, url, input, says) in [
        (&["unknown", "1"][..], &*url, &b""[..], "unknown: error 102: unknown channel"),
        (&["unknown"], &url, b"1\n2\n", "line 1: unknown: error 102"),
        (&["news"], &url, b"1\n\xff\n", "line 2 of standard input is not UTF-8"),
        (&["closed", "1"], &url, b"", "401 Unauthorized; name the key with --key"),
        (&["broken", "1"], &url, b"", "500 Internal Server Error: it is broken"),
        (&["junk", "1"], &url, b"", "no answer of the server API"),
        (&["news", "1"], &closed, b"", "refused"),
        (&["news", "1"], &closed.replace("http:", "https:"), b"", "refused"),
        (&["news", "1"], "ws://127.0.0.1/", b"", "write http://HOST:PORT"),
        (&["news", "1"], "http://127.0.0.1/?x", b"", "leave out what begins with \"?\""),
        (&["news", "1", "--key", "a\nb"], &url, b"", "API key"),
        (&["news", "1", "--config", "/nowhere/a.toml"], &url, b"", "/nowhere/a.toml"),
    ] {
        let (status, _, told) = publish(arguments, url, input);
        assert_eq!(status, Some(1), "{url} {arguments:?}: {told}");
        assert!(told.starts_with("antiphon: ") && told.contains(says), "{url} {arguments:?}: {told}");
    }
    let unknown = api.seen.lock().unwrap().iter().filter(|seen| seen.body.contains("unknown")).count();
    assert_eq!(unknown, 2, "nothing is published after a failure");
}

#[test]
fn https_wants_a_certificate_that_is_trusted() {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let api = Api::default();
    let url = format!("https://{}", api.start(Some(TlsAcceptor::from(Arc::new(config)))));
    let file = std::env::temp_dir().join(format!("antiphon-pub-{}.pem", std::process::id()));
    fs::write(&file, issued.cert.pem()).unwrap();
    let trusting = publish(&["news", "1", "--cacert", file.to_str().unwrap()], &url, b"");
    assert_eq!(trusting, (Some(0), "{\"offset\":1,\"epoch\":\"e\"}\n".into(), String::new()));
    assert_eq!(publish(&["news", "1", "--insecure-tls"], &url, b"").0, Some(0));
    let (status, _, told) = publish(&["news", "1"], &url, b"");
    assert_eq!(status, Some(1));
    assert!(told.contains("root certificate"), "{told}");
    fs::remove_file(file).unwrap();
}

#[test]
fn the_real_server_takes_what_is_published() {
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let (status, said, told) = publish(&["news", "--tag", "k=v"], &url, b"1\n\"two\"\nthree\n");
    assert_eq!((status, &*told), (Some(0), ""));
    let places: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(places.iter().map(|place| place["offset"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(places.iter().all(|place| place["epoch"].as_str() > Some("")), "{said}");

    let socket = format!("ws://127.0.0.1:{}/connection/websocket", server.port);
    let arguments = ["sub", "news", "--history", "9", "--count", "3", "--url", &socket];
    let (status, said, _) = run(antiphon().args(arguments), b"");
    assert_eq!(status, Some(0));
    let came: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data: Vec<_> = came.iter().map(|line| line["data"].clone()).collect();
    assert_eq!(data, [Value::from(1), "two".into(), "three".into()]);
    assert!(came.iter().all(|line| line["tags"]["k"] == "v"), "{said}");

    // Once under one key, and out of the history where that is wanted.
    for (arguments, expected) in [
        (&["other", "1", "--idempotency-key", "a"][..], 1),
        (&["other", "1", "--idempotency-key", "a"], 1),
        (&["other", "1", "--idempotency-key", "b"], 2),
        (&["other", "1", "--skip-history"], 0),
        (&["other", "1"], 3),
    ] {
        let (_, said, told) = publish(arguments, &url, b"");
        let place: Value = serde_json::from_str(&said).expect(&told);
        assert_eq!(place["offset"], expected, "{arguments:?}");
    }
    let (status, _, told) = publish(&["", "1"], &url, b"");
    assert_eq!((status, told.contains("error 107")), (Some(1), true), "{told}");
}
