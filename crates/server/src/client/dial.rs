//! From the command line to an open WebSocket.

use std::fs;
use std::sync::Arc;

use antiphon_proto::handshake::{ClientRequest, WsUri};
use antiphon_proto::{Config, Limits};
use antiphon_socket::connect::ProxyChoice;
use antiphon_socket::{ClientStream, Connector, TlsOptions, WebSocket};

use crate::cli::{ConnectArgs, WayArgs};

/// The largest message that a tool takes.
const MESSAGE: u64 = 64 * 1024 * 1024;

/// How the tools connect, by the way that the command line says.
///
/// # Errors
/// When the proxy is none, or the file of certificates has none.
pub(crate) fn connector(way: &WayArgs) -> Result<Connector, String> {
    // The tools look themselves at how much waits to be sent.
    let limits = Limits { frame: MESSAGE, message: MESSAGE, fragments: 1 << 20, outbox: usize::MAX };
    let mut connector =
        Connector { config: Arc::new(Config { limits, ..Config::default() }), ..Connector::default() };
    if let Some(proxy) = &way.proxy {
        connector.proxy = ProxyChoice::Fixed(proxy.parse().map_err(|e| format!("--proxy: {e}"))?);
    }
    if let Some(tls) = trust(way)? {
        connector.tls = Arc::new(tls);
    }
    Ok(connector)
}

/// Opens a WebSocket as the command line says.
///
/// # Errors
/// A sentence that says what failed.
pub(super) async fn dial(args: &ConnectArgs) -> Result<WebSocket<ClientStream>, String> {
    let connector = Connector { compression: args.deflate, ..connector(&args.way)? };
    match connector.connect(request(args)?).await {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(format!("{}: {error}", args.url)),
    }
}

/// Whom to trust, where that is not whom the platform trusts.
fn trust(way: &WayArgs) -> Result<Option<TlsOptions>, String> {
    let mut options = None;
    if let Some(path) = &way.cacert {
        let name = path.display();
        let pem = fs::read(path).map_err(|e| format!("--cacert {name} cannot be read: {e}"))?;
        let roots = TlsOptions::default().add_root_pem(&pem);
        options = Some(roots.map_err(|e| format!("--cacert {name}: {e}"))?);
    }
    if way.insecure_tls {
        options = Some(options.unwrap_or_default().dangerously_accept_any_certificate());
    }
    Ok(options)
}

fn request(args: &ConnectArgs) -> Result<ClientRequest, String> {
    let uri: WsUri = args.url.parse().map_err(|e| format!("{}: {e}", args.url))?;
    let mut request = ClientRequest::new(uri);
    for token in &args.subprotocol {
        request = request.subprotocol(token).map_err(|e| format!("--subprotocol {token:?}: {e}"))?;
    }
    for header in &args.headers {
        let Some((name, value)) = header.split_once(':') else {
            return Err(format!("the header {header:?} has no colon; write \"Name: value\""));
        };
        let (name, value) = (name.trim(), value.trim());
        let added = if name.eq_ignore_ascii_case("Origin") {
            request.origin(value)
        } else {
            request.header(name, value)
        };
        request = added.map_err(|e| format!("the header {header:?}: {e}"))?;
    }
    Ok(request)
}
