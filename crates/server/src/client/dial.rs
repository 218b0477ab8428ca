//! From the command line to an open WebSocket.

use std::fs;
use std::sync::Arc;

use antiphon_proto::handshake::{ClientRequest, WsUri};
use antiphon_proto::{Config, Limits};
use antiphon_socket::connect::ProxyChoice;
use antiphon_socket::{ClientStream, Connector, TlsOptions, WebSocket};

use crate::cli::ConnectArgs;

/// The largest message that a tool takes.
const MESSAGE: u64 = 64 * 1024 * 1024;

/// How the tools connect where nothing else is asked for.
pub(crate) fn connector() -> Connector {
    // The tools look themselves at how much waits to be sent.
    let limits = Limits { frame: MESSAGE, message: MESSAGE, fragments: 1 << 20, outbox: usize::MAX };
    Connector { config: Arc::new(Config { limits, ..Config::default() }), ..Connector::default() }
}

/// Opens a WebSocket as the command line says.
///
/// # Errors
/// A sentence that says what failed.
pub(super) async fn dial(args: &ConnectArgs) -> Result<WebSocket<ClientStream>, String> {
    let mut connector = Connector { compression: args.deflate, ..connector() };
    if let Some(proxy) = &args.proxy {
        connector.proxy = ProxyChoice::Fixed(proxy.parse().map_err(|e| format!("--proxy: {e}"))?);
    }
    if let Some(tls) = trust(args)? {
        connector.tls = Arc::new(tls);
    }
    match connector.connect(request(args)?).await {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(format!("{}: {error}", args.url)),
    }
}

/// Whom to trust, where that is not whom the platform trusts.
fn trust(args: &ConnectArgs) -> Result<Option<TlsOptions>, String> {
    let mut options = None;
    if let Some(path) = &args.cacert {
        let name = path.display();
        let pem = fs::read(path).map_err(|e| format!("--cacert {name} cannot be read: {e}"))?;
        let roots = TlsOptions::default().add_root_pem(&pem);
        options = Some(roots.map_err(|e| format!("--cacert {name}: {e}"))?);
    }
    if args.insecure_tls {
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
