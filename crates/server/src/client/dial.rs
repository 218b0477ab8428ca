//! From a URL to an open WebSocket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_proto::deflate::{DeflateConfig, Offer};
use antiphon_proto::handshake::{ClientHandshake, ClientRequest, Progress, WsUri};
use antiphon_proto::{Config, Connection, Entropy, Limits};
use antiphon_socket::WebSocket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a connection may take to come about.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest message that a tool takes.
const MESSAGE: u64 = 64 * 1024 * 1024;

/// What to ask for besides the URL.
#[derive(Debug, Default)]
pub(crate) struct Dial<'a> {
    /// Each as `Name: value`.
    pub(crate) headers: &'a [String],
    pub(crate) subprotocols: &'a [String],
    pub(crate) deflate: bool,
}

/// Opens a WebSocket.
///
/// # Errors
/// A sentence that says what failed.
pub(crate) async fn dial(url: &str, dial: &Dial<'_>) -> Result<WebSocket<TcpStream>, String> {
    match tokio::time::timeout(TIMEOUT, open(url, dial)).await {
        Ok(result) => result,
        Err(_) => Err(format!("{url}: no connection within {} s", TIMEOUT.as_secs())),
    }
}

async fn open(url: &str, dial: &Dial<'_>) -> Result<WebSocket<TcpStream>, String> {
    let uri: WsUri = url.parse().map_err(|e| format!("{url}: {e}"))?;
    if uri.is_tls() {
        return Err(format!("{url}: wss is not built in yet; use ws"));
    }
    let (host, port) = (uri.host().to_owned(), uri.port());
    let deflate = DeflateConfig::default();
    let mut request = ClientRequest::new(uri);
    for token in dial.subprotocols {
        request = request.subprotocol(token).map_err(|e| e.to_string())?;
    }
    if dial.deflate {
        request = request.deflate(Offer::new(&deflate)).map_err(|e| e.to_string())?;
    }
    for header in dial.headers {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| format!("the header {header:?} has no colon; write \"Name: value\""))?;
        let (name, value) = (name.trim(), value.trim());
        let added = match name.eq_ignore_ascii_case("Origin") {
            true => request.origin(value),
            false => request.header(name, value),
        };
        request = added.map_err(|e| e.to_string())?;
    }

    let stream = TcpStream::connect((host.as_str(), port)).await;
    let mut stream = stream.map_err(|e| format!("{host}:{port} cannot be connected to: {e}"))?;
    stream.set_nodelay(true).map_err(|e| format!("{url}: {e}"))?;
    let mut handshake = ClientHandshake::new(request, &mut SystemEntropy);
    let lost = |e: std::io::Error| format!("{url}: {e}");
    stream.write_all(handshake.request_bytes()).await.map_err(lost)?;
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.map_err(lost)?;
        let read = &buffer[..length];
        if read.is_empty() {
            return Err(format!("{url}: {}", handshake.handle_eof()));
        }
        if let Progress::Complete { value, used } =
            handshake.receive(read).map_err(|e| format!("{url}: {e}"))?
        {
            let limits = Limits { frame: MESSAGE, message: MESSAGE, fragments: 1 << 20, outbox: usize::MAX };
            let config = Config { limits, deflate, ..Config::default() };
            let connection = Connection::client(
                Arc::new(config),
                value.agreed().deflate,
                Box::new(SystemEntropy),
                Instant::now(),
            );
            return Ok(WebSocket::new(stream, connection, &read[used..]));
        }
    }
}

/// Keys and masks from the operating system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        #[expect(clippy::unwrap_used, reason = "a client must not go on with a key that can be guessed")]
        getrandom::fill(bytes).unwrap();
    }
}
