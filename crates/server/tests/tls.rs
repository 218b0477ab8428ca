//! The server behind TLS, from outside.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/h2.rs"]
mod h2_client;
mod support;
#[path = "support/trust.rs"]
mod trust;

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use support::{BINARY, CLOSE, Server, antiphon, frame, handshake};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, StreamOwned, SupportedProtocolVersion,
};
use trust::Any;

fn client(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn connect(port: u16, config: &Arc<ClientConfig>) -> Secured {
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let client = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(client, tcp)
}

fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The certificate that the server shows, once it has been asked for something.
fn shown(port: u16) -> Vec<u8> {
    let mut stream = connect(port, &client(&TLS13));
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn requests_and_sockets_pass_through_tls() {
    let mut server = Server::with(&["--workers", "2", "--tls-dev"]);
    let mut open = Vec::new();
    for version in [&TLS12, &TLS13] {
        let config = client(version);
        let mut stream = connect(server.port, &config);
        for _ in 0..2 {
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
            stream.read_exact(&mut [0; 3]).unwrap();
        }
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let origin = "Origin: https://localhost\r\n";
        stream.write_all(handshake("/echo", origin).as_bytes()).unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
        for size in [5_usize, 70_000, 1_000_000] {
            let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            stream.write_all(&frame(BINARY, &data)).unwrap();
            let more = match size {
                ..126 => 0,
                126..65536 => 2,
                _ => 8,
            };
            let mut echo = vec![0; 2 + more + size];
            stream.read_exact(&mut echo).unwrap();
            assert!(echo[2 + more..] == data, "{size}");
        }
        // On whichever worker it ends up.
        let mut again = connect(server.port, &config);
        again.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        // Ends with close_notify, or this would be an error.
        again.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("ok\n"), "{answer}");
        assert_eq!(again.conn.handshake_kind(), Some(HandshakeKind::Resumed));
        open.push(stream);
    }
    server.terminate();
    for mut stream in open {
        let mut close = [0; 4];
        stream.read_exact(&mut close).unwrap();
        assert_eq!((close[0] & 0x0f, &close[2..]), (CLOSE, &1001_u16.to_be_bytes()[..]));
        stream.read_exact(&mut vec![0; usize::from(close[1]) - 2]).unwrap();
        stream.write_all(&frame(CLOSE, &close[2..])).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end is said");
    }
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn alpn_chooses_the_version_of_http() {
    let server = Server::with(&["--tls-dev"]);
    let mut config = Arc::unwrap_or_clone(client(&TLS13));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = h2_client::Client::over(stream).await;
    let mut socket = client.open("/echo").await;
    let data = vec![7; 300_000];
    let ((), received) = tokio::join!(socket.sender.send(BINARY, &data), socket.receiver.receive());
    assert!(received == Some((BINARY, data)));
    assert_eq!(client.get("/health").await.status(), 200);
}

#[test]
fn clear_text_on_the_port_of_tls_is_told_so() {
    let server = Server::with(&["--tls-dev"]);
    let mut socket = server.request("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = socket.rest();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    // What is neither is not answered in clear text.
    let mut socket = server.request("\x16nonsense");
    socket.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(!socket.rest().contains("HTTP"));
}

/// A folder of this test's own.
fn folder(name: &str) -> String {
    let path = format!("{}/tls-{name}", env!("CARGO_TARGET_TMPDIR"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A new certificate and its key in `folder`; answers with the certificate.
fn certificate(folder: &str, name: &str) -> Vec<u8> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(format!("{folder}/{name}.pem"), cert.pem()).unwrap();
    fs::write(format!("{folder}/{name}.key"), signing_key.serialize_pem()).unwrap();
    cert.der().to_vec()
}

/// A configuration in `folder` with this certificate and this key.
fn configure(folder: &str, cert: &str, key: &str) -> String {
    let path = format!("{folder}/antiphon.toml");
    let text = format!(
        "[http]\nlisten_plain = [\"127.0.0.1:0\"]\n[tls]\ncert = \"{folder}/{cert}\"\nkey = \"{folder}/{key}\"\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn certificates_are_read_again_and_bad_ones_leave_the_old() {
    let folder = folder("reload");
    let [a, b] = ["a", "b"].map(|name| certificate(&folder, name));
    let path = configure(&folder, "a.pem", "a.key");
    let log = fs::File::create(format!("{folder}/log")).unwrap();
    let command = &mut antiphon();
    let server = Server::spawn_logging(
        command.args(["serve", "--listen", "127.0.0.1:0", "--config", &path]),
        log.into(),
    );
    assert_eq!(shown(server.port), a);
    // Another server's key; then a file that is no certificate; then one that is not there; then all is well.
    fs::write(format!("{folder}/text.pem"), "nothing").unwrap();
    for (cert, key, says) in [
        ("b.pem", "a.key", "is not the key of the first certificate"),
        ("text.pem", "b.key", "has no CERTIFICATE in PEM"),
        ("none.pem", "b.key", "cannot be read"),
        ("b.pem", "text.pem", "has no PRIVATE KEY in PEM"),
        ("b.pem", "b.key", "the settings were read again"),
    ] {
        configure(&folder, cert, key);
        server.signal("-HUP");
        let started = Instant::now();
        let text = || fs::read_to_string(format!("{folder}/log")).unwrap();
        while !text().contains(says) {
            assert!(started.elapsed() < Duration::from_secs(10), "{says}: {}", text());
            std::thread::sleep(Duration::from_millis(10));
        }
        let expected = if says == "the settings were read again" { &b } else { &a };
        assert!(shown(server.port) == *expected, "{says}");
    }
}

#[test]
fn plain_addresses_stay_plain() {
    let folder = folder("plain");
    certificate(&folder, "a");
    let path = configure(&folder, "a.pem", "a.key");
    let mut child = antiphon()
        .args(["serve", "--listen", "127.0.0.1:0", "--config", &path])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
    let mut port = |scheme: &str| -> u16 {
        let line = lines.next().unwrap().unwrap();
        let port = line.strip_prefix(&format!("listening on {scheme}://127.0.0.1:"));
        port.unwrap_or_else(|| panic!("{line}")).parse().unwrap()
    };
    let (tls, plain) = (port("https"), port("http"));
    shown(tls);
    let mut stream = TcpStream::connect(("127.0.0.1", plain)).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_certificate_needs_its_key_and_only_one_is_shown() {
    let folder = folder("half");
    certificate(&folder, "a");
    let path = configure(&folder, "a.pem", "a.key");
    for (arguments, variable, says) in [
        (&["--config", &path][..], ("ANTIPHON_TLS__KEY", ""), "tls.key is empty"),
        (&["--config", &path], ("ANTIPHON_TLS__CERT", ""), "tls.cert is empty"),
        (
            &["--config", &path],
            ("ANTIPHON_TLS__CERT", "/nowhere/a.pem"),
            "tls.cert /nowhere/a.pem cannot be read",
        ),
        (&["--config", &path, "--tls-dev"], ("ANTIPHON_LOG", "info"), "--tls-dev"),
    ] {
        let output = antiphon().arg("serve").args(arguments).env(variable.0, variable.1).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{text}");
    }
}
