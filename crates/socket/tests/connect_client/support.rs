//! Servers, certificates and resolvers that the tests share.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_socket::connect::{Connector, ProxyChoice, Resolve, Resolving};
use antiphon_socket::proto::handshake::{Acceptance, Progress, ServerHandshake, ServerPolicy};
use antiphon_socket::rustls::pki_types::pem::PemObject;
use antiphon_socket::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use antiphon_socket::rustls::{ServerConfig, crypto::ring};
use antiphon_socket::{TlsOptions, WebSocket};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Every name is 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Loopback;

impl Resolve for Loopback {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]) })
    }
}

/// No name may be looked up.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Resolve for Nobody {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> Resolving<'a> {
        panic!("{host} was looked up")
    }
}

/// A connector that asks no environment, and whose names are all loopback.
pub(crate) fn connector() -> Connector {
    Connector { proxy: ProxyChoice::Direct, resolver: Arc::new(Loopback), ..Connector::default() }
}

pub(crate) fn through(proxy: &str) -> Connector {
    Connector {
        proxy: ProxyChoice::Fixed(proxy.parse().unwrap()),
        resolver: Arc::new(Nobody),
        ..Connector::default()
    }
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Runs `serve` on each connection to a new listener.
pub(crate) async fn server<F, T>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Runs `serve` on the first connection to a new listener, and hands its result out.
pub(crate) async fn once<F, T, R>(serve: F) -> (SocketAddr, JoinHandle<R>)
where
    F: FnOnce(TcpStream) -> T + Send + 'static,
    T: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await
    });
    (address, task)
}

/// Sends back what comes over a WebSocket.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let Ok(mut socket) = antiphon_socket::accept(stream).await else { return };
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

pub(crate) async fn echo_server() -> SocketAddr {
    server(echo).await
}

pub(crate) async fn tls_echo_server(identity: &Identity) -> SocketAddr {
    let acceptor = identity.acceptor();
    server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                echo(stream).await;
            }
        }
    })
    .await
}

/// Sends one message and gets it back.
pub(crate) async fn assert_echoes<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>) {
    socket.send("ein Gruß").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("ein Gruß".into()));
}

/// Reads up to the end of a head, and nothing beyond it.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// Writes one byte at a time, each in a segment of its own as far as the system lets it.
pub(crate) async fn dribble(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// All that comes until the other side ends, or for a second.
pub(crate) async fn read_all(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut bytes)).await;
    bytes
}

/// The 101 to a request, with these bytes behind it.
pub(crate) fn switching(head: &str, behind: &[u8]) -> Vec<u8> {
    match ServerHandshake::new(&ServerPolicy::default()).receive(head.as_bytes()).unwrap() {
        Progress::Complete { value, .. } => {
            [value.accept(&Acceptance::default()).unwrap().response, behind.to_vec()].concat()
        }
        Progress::Incomplete => panic!("the head goes on"),
    }
}

/// What a server shows over TLS, and the root that vouches for it.
pub(crate) struct Identity {
    pub(crate) root: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A certificate for `names`, signed by a root of its own.
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    /// A certificate whose time was over in 2021.
    pub(crate) fn expired(names: &[&str]) -> Self {
        Self::with(names, |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    fn with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two roots of one name would be one issuer with two keys: a bad signature instead of an unknown issuer.
        static ROOTS: AtomicUsize = AtomicUsize::new(0);
        let number = ROOTS.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("root {number}"));
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let (mut params, key) = (Self::params(names), KeyPair::generate().unwrap());
        change(&mut params);
        let leaf = params.signed_by(&key, &issuer).unwrap().pem();
        Self { config: Self::config(&leaf, &key), root }
    }

    /// A certificate that vouches for itself.
    pub(crate) fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = Self::params(names).self_signed(&key).unwrap().pem();
        Self { config: Self::config(&leaf, &key), root: leaf }
    }

    fn params(names: &[&str]) -> CertificateParams {
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn config(leaf: &str, key: &KeyPair) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(leaf.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// An acceptor that offers these protocols.
    #[cfg(feature = "http2")]
    pub(crate) fn acceptor_of(&self, protocols: &[&str]) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Options that trust this root and no other.
    pub(crate) fn trusted(&self) -> Arc<TlsOptions> {
        Arc::new(TlsOptions::default().add_root_pem(self.root.as_bytes()).unwrap().only_added_roots())
    }
}
