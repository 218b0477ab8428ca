//! An HTTP client whose every call is bounded: in time, in the size of the answer, in the connections it keeps.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, future, io};

use antiphon_hub::Deferred;
use antiphon_hub::auth::Fetch;
use antiphon_socket::rustls::{ClientConfig, crypto::ring};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tower_service::Service;

use super::Endpoint;

/// Bytes of the body of an answer.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;

/// How long an idle connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);

/// Idle connections that are kept for one host.
const IDLE_LIMIT: usize = 255;

/// How long a connection may take to be made: looking up the name, TCP and TLS. A call's own timeout is mostly shorter; this
/// bounds the connection that was begun for a call which then took another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a document of [`Fetch`] may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls URLs over HTTP/1.1 and TLS, following no redirects.
///
/// Its calls run on one runtime, where connections are kept and shared; what it returns may be awaited anywhere. It is cheap
/// to clone.
#[derive(Clone)]
pub(crate) struct Client {
    runtime: Handle,
    http: legacy::Client<Connector, Full<Bytes>>,
}

impl Client {
    /// A client whose connections live on `runtime`. Certificates are checked as the platform does, or against the file that
    /// `SSL_CERT_FILE` names; they are read at the first call over TLS.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self::with_tls(runtime, OnceLock::new())
    }

    /// A client with a configuration for TLS of its own.
    #[cfg(test)]
    pub(super) fn trusting(runtime: Handle, tls: ClientConfig) -> Self {
        Self::with_tls(runtime, OnceLock::from(Ok(Arc::new(tls))))
    }

    fn with_tls(runtime: Handle, tls: OnceLock<Result<Arc<ClientConfig>, String>>) -> Self {
        let mut tcp = HttpConnector::new();
        // The connector for TLS comes after.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_LIMIT)
            .build(Connector { tcp, tls: Arc::new(tls) });
        Self { runtime, http }
    }

    /// The runtime that the calls run on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Posts a body and gives the whole answer, whatever its status. When the future is dropped, the call ends.
    pub(crate) fn post(
        &self,
        endpoint: &Endpoint,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> impl Future<Output = Result<Response<Bytes>, CallError>> + Send + 'static + use<> {
        self.call(Method::POST, endpoint, headers, body, timeout)
    }

    fn call(
        &self,
        method: Method,
        endpoint: &Endpoint,
        mut headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> impl Future<Output = Result<Response<Bytes>, CallError>> + Send + 'static + use<> {
        const AGENT: HeaderValue = HeaderValue::from_static(concat!("antiphon/", env!("CARGO_PKG_VERSION")));
        headers.entry(header::USER_AGENT).or_insert(AGENT);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = endpoint.uri().clone();
        *request.headers_mut() = headers;

        let (mut answer, answered) = oneshot::channel();
        let http = self.http.clone();
        self.runtime.spawn(async move {
            let call = tokio::time::timeout(timeout, exchange(http, request));
            tokio::select! {
                outcome = call => {
                    // Whoever asked may have gone at this moment.
                    let _ = answer.send(outcome.unwrap_or(Err(CallError::Timeout(timeout))));
                }
                () = answer.closed() => {}
            }
        });
        async move { answered.await.unwrap_or(Err(CallError::Ended)) }
    }
}

async fn exchange(
    http: legacy::Client<Connector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, CallError> {
    let response = http.request(request).await.map_err(|error| match error.is_connect() {
        true => CallError::Unreachable(causes(&error)),
        false => CallError::Broken(causes(&error)),
    })?;
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        // The status says more than that its page could not be read.
        Err(_) if !head.status.is_success() => Bytes::new(),
        Err(error) if error.is::<LengthLimitError>() => return Err(CallError::TooLarge),
        Err(error) => return Err(CallError::Broken(error.to_string())),
    };
    Ok(Response::from_parts(head, body))
}

/// An error and what caused it: hyper's own sentences leave out the cause.
fn causes(error: &legacy::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

impl Fetch for Client {
    fn fetch(&self, url: &str) -> Deferred<Result<Bytes, String>> {
        let endpoint = match Endpoint::parse(url) {
            Ok(endpoint) => endpoint,
            Err(error) => return Deferred::now(Err(error)),
        };
        let call = self.call(Method::GET, &endpoint, HeaderMap::new(), Bytes::new(), FETCH_TIMEOUT);
        Deferred::later(async move {
            match call.await {
                Ok(response) if response.status() == StatusCode::OK => Ok(response.into_body()),
                Ok(response) => Err(format!("{endpoint}: {}", CallError::Status(response.status()))),
                Err(error) => Err(format!("{endpoint}: {error}")),
            }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Why a call gave no answer that is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// No connection could be made.
    Unreachable(String),
    /// There was no whole answer in this time.
    Timeout(Duration),
    /// The connection ended early, or what came is no HTTP.
    Broken(String),
    /// The answer's body is too large.
    TooLarge,
    /// A status that is not the one wanted.
    Status(StatusCode),
    /// The runtime of the calls has been shut down.
    Ended,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(cause) | Self::Broken(cause) => f.write_str(cause),
            Self::Timeout(timeout) => write!(f, "no whole answer within {timeout:?}"),
            Self::TooLarge => write!(f, "the body of the answer has more than {BODY_LIMIT} bytes"),
            Self::Status(status) => write!(f, "status {status} instead of 200"),
            Self::Ended => f.write_str("the server is shutting down"),
        }
    }
}

/// Makes connections, with TLS where the scheme says so.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    /// Made when it is first needed: a server that calls no `https` URL needs no roots.
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = io::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(cx).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let tls = Arc::clone(&self.tls);
        let connect = async move {
            if uri.scheme_str() != Some("https") {
                return tcp.call(uri).await.map(MaybeHttpsStream::Http).map_err(io::Error::other);
            }
            let config = tls.get_or_init(platform_tls).clone().map_err(io::Error::other)?;
            let mut connector = HttpsConnector::from((tcp, config));
            future::poll_fn(|cx| connector.poll_ready(cx)).await.map_err(io::Error::other)?;
            connector.call(uri).await.map_err(io::Error::other)
        };
        Box::pin(async move {
            let timeout = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
            timeout.unwrap_or_else(|_| {
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection within {CONNECT_TIMEOUT:?}"),
                ))
            })
        })
    }
}

fn platform_tls() -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config =
        builder.with_safe_default_protocol_versions().and_then(|builder| builder.with_platform_verifier());
    let config = config.map_err(|e| format!("the platform's certificates cannot be read: {e}"))?;
    Ok(Arc::new(config.with_no_client_auth()))
}
