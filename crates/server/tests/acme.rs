//! Certificates from an authority: the server, and pebble, which is one for tests.

#![cfg(feature = "acme")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/trust.rs"]
mod trust;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use support::{Server, antiphon};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use trust::Any;

/// No order on this machine takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How a certificate for tests is named in what pebble issues.
const ISSUER: &[u8] = b"Pebble Intermediate CA";

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-acme-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Free ports for those who must be told which. They lie below those that the system gives out, so that no other test is given
/// one of them meanwhile.
fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let candidates = std::iter::repeat_with(|| {
        let next = std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        20_000 + (next % 12_000) as u16
    });
    let mut free = candidates.take(12_000).filter(is_free);
    [(); N].map(|()| free.next().unwrap())
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The certificate authority, and where it looks for proofs.
struct Pebble {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Pebble {
    /// None where it is not installed.
    fn start(folder: &Folder, port: u16, http_port: u16) -> Option<Self> {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "the test's root");
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let own = own.signed_by(&key, &root).unwrap();
        folder.write("root.pem", &root.pem());
        let certificate = folder.write("pebble.pem", &own.pem());
        let private_key = folder.write("pebble.key", &key.serialize_pem());
        let config = folder.write(
            "pebble.json",
            &format!(
                r#"{{"pebble": {{"listenAddress": "127.0.0.1:{port}", "managementListenAddress": "", "httpPort": {http_port},
                    "tlsPort": 1, "certificate": {certificate:?}, "privateKey": {private_key:?}}}}}"#
            ),
        );
        let log = folder.path("pebble.log");
        let child = Command::new("pebble")
            .arg("-config")
            .arg(config)
            .env("PEBBLE_VA_NOSLEEP", "1")
            // By itself it refuses some, and now and then too many.
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdout(File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => {
                let pebble = Self { child, port, log };
                until("pebble listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
                Some(pebble)
            }
            Err(error) => {
                eprintln!("SKIPPED: pebble cannot be started ({error}); apt-get install pebble");
                None
            }
        }
    }

    /// How many certificates it was asked for.
    fn orders(&self) -> usize {
        fs::read_to_string(&self.log).unwrap().matches("Issued certificate").count()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that gets its certificate from port `port`, and what it logs.
fn server(folder: &Folder, domain: &str, port: u16, http_port: u16) -> (Server, PathBuf) {
    let config = folder.write(
        "antiphon.toml",
        &format!(
            "[http]\nlisten = [\"127.0.0.1:0\"]\nlisten_plain = [\"127.0.0.1:{http_port}\"]\nworkers = 1\n\
             [tls.acme]\ndomains = [{domain:?}]\nemail = \"admin@example.com\"\n\
             directory = \"https://localhost:{port}/dir\"\ncache = {:?}\nca = {:?}\n",
            folder.path("cache"),
            folder.path("root.pem"),
        ),
    );
    let log = folder.path("antiphon.log");
    let stderr = Stdio::from(File::create(&log).unwrap());
    (Server::spawn_logging(antiphon().arg("serve").arg("--config").arg(config), stderr), log)
}

/// The certificate that the server shows, once it has answered.
fn shown(port: u16) -> CertificateDer<'static> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, tcp);
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn is_issued(certificate: &CertificateDer<'_>) -> bool {
    certificate.windows(ISSUER.len()).any(|window| window == ISSUER)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A log line with this in it.
fn has_said(log: &Path, what: &str) -> bool {
    fs::read_to_string(log).unwrap().contains(what)
}

/// All files in a folder, with their modes.
fn files(folder: &Path) -> Vec<(String, u32)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files = entries.map(|path| (name(&path), mode(&path))).collect::<Vec<_>>();
    files.sort();
    files
}

#[test]
fn a_certificate_is_ordered_once_and_kept() {
    for domain in ["localhost", "127.0.0.1"] {
        let folder = Folder::new(domain);
        let [port, http_port] = free_ports();
        let Some(pebble) = Pebble::start(&folder, port, http_port) else { return };
        let (mut one, log) = server(&folder, domain, pebble.port, http_port);
        until(&format!("a certificate for {domain} ({})", log.display()), || is_issued(&shown(one.port)));
        let certificate = shown(one.port);
        assert!(has_said(&log, &format!("there is a new certificate for {domain}")));
        assert_eq!(pebble.orders(), 1);
        // The proof is gone when the order is done.
        let mut unknown = TcpStream::connect(("127.0.0.1", http_port)).unwrap();
        let request =
            "GET /.well-known/acme-challenge/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        unknown.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        unknown.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        // A signal to read the settings again leaves it alone.
        one.signal("-HUP");
        until("SIGHUP", || has_said(&log, "SIGHUP: the settings were read again"));
        assert_eq!(shown(one.port), certificate);
        let config = folder.path("antiphon.toml");
        let settings = fs::read_to_string(&config).unwrap();
        fs::write(&config, settings.replace("admin@", "other@")).unwrap();
        one.signal("-HUP");
        until("SIGHUP", || has_said(&log, "[tls.acme] cannot change while the server runs"));
        one.terminate();
        assert!(one.ended().success());
        let cache = folder.path("cache");
        let own = cache.join(format!("localhost-{port}-dir"));
        assert_eq!((mode(&cache), mode(&own)), (0o700, 0o700));
        assert_eq!(files(&own), [("account.json".into(), 0o600), ("certificate.pem".into(), 0o600)]);

        let (two, _) = server(&folder, domain, pebble.port, http_port);
        assert_eq!(shown(two.port), certificate);
        assert_eq!(pebble.orders(), 1);
    }
}

#[test]
fn an_account_that_the_authority_has_forgotten_is_made_again() {
    let folder = Folder::new("forgotten");
    let [port, http_port] = free_ports();
    let Some(pebble) = Pebble::start(&folder, port, http_port) else { return };
    let (one, _) = server(&folder, "localhost", port, http_port);
    until("a certificate", || is_issued(&shown(one.port)));
    let first = shown(one.port);
    drop((one, pebble));
    let own = folder.path("cache").join(format!("localhost-{port}-dir"));
    let account = fs::read(own.join("account.json")).unwrap();
    // What is no certificate is as good as none.
    fs::write(own.join("certificate.pem"), "").unwrap();

    let Some(_pebble) = Pebble::start(&folder, port, http_port) else { return };
    let (two, log) = server(&folder, "localhost", port, http_port);
    until("another certificate", || is_issued(&shown(two.port)));
    assert!(has_said(&log, "the certificate in tls.acme.cache is of no use: "));
    assert_ne!(shown(two.port), first);
    assert_ne!(fs::read(own.join("account.json")).unwrap(), account);
}

#[test]
fn a_certificate_that_is_due_is_shown_until_there_is_another() {
    let folder = Folder::new("due");
    let [port, http_port] = free_ports();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    (params.not_before, params.not_after) = ((now - 70 * day).into(), (now + 20 * day).into());
    let key = KeyPair::generate().unwrap();
    let old = params.self_signed(&key).unwrap();
    let own = folder.path("cache").join(format!("localhost-{port}-dir"));
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("certificate.pem"), key.serialize_pem() + &old.pem()).unwrap();
    folder.write("root.pem", &old.pem());

    let (one, log) = server(&folder, "localhost", port, http_port);
    until("a failure", || has_said(&log, "The next attempt is in 1m"));
    assert_eq!(shown(one.port), *old.der());
    // What others could read is closed to them.
    assert_eq!(mode(&own), 0o700);
    drop(one);

    let Some(_pebble) = Pebble::start(&folder, port, http_port) else { return };
    let (two, _) = server(&folder, "localhost", port, http_port);
    until("another certificate", || is_issued(&shown(two.port)));
    assert_eq!(files(&own), [("account.json".into(), 0o600), ("certificate.pem".into(), 0o600)]);
}

#[test]
fn what_the_authority_says_is_logged() {
    let folder = Folder::new("refused");
    let [port, http_port, elsewhere] = free_ports();
    // It looks where nobody listens.
    let Some(pebble) = Pebble::start(&folder, port, elsewhere) else { return };
    let (server, log) = server(&folder, "localhost", pebble.port, http_port);
    until("a refusal", || has_said(&log, "The next attempt is in 1m"));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("there is no new certificate for localhost from https://localhost:"), "{said}");
    assert!(
        said.contains("localhost was refused: ") && said.contains("urn:ietf:params:acme:error:"),
        "{said}"
    );
    assert!(!is_issued(&shown(server.port)));
}

#[test]
fn without_the_authority_the_server_runs() {
    let folder = Folder::new("down");
    let [port, http_port] = free_ports();
    let root = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    folder.write("root.pem", &root.cert.pem());
    let (server, log) = server(&folder, "localhost", port, http_port);
    let certificate = shown(server.port);
    until("a failure", || has_said(&log, "The next attempt is in 1m"));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("there is no new certificate for localhost from https://localhost:"), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(shown(server.port), certificate);
    assert!(!is_issued(&certificate));
}
