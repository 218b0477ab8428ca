//! The server API over HTTP, as far as the tools need it.

use std::time::Duration;

use antiphon_proto::handshake::WsUri;
use antiphon_socket::Connector;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::dial::connector;
use super::settings::settings;
use crate::cli::ServerArgs;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The largest answer that is read.
const ANSWER: usize = 16 * 1024 * 1024;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's API: one request after the other, on one connection as long as that holds.
pub(crate) struct Api {
    connector: Connector,
    /// The URL as it was given, without a `/` at its end.
    url: String,
    server: WsUri,
    key: Option<HeaderValue>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// The body of an answer.
#[derive(Deserialize)]
struct Answer<R> {
    error: Option<ApiError>,
    result: Option<R>,
}

#[derive(Deserialize)]
struct ApiError {
    code: u32,
    #[serde(default)]
    message: String,
}

impl Api {
    /// The API that the command line names.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the file with the key cannot be read.
    pub(crate) fn of(args: &ServerArgs) -> Result<Self, String> {
        let mut key = args.key.clone().filter(|key| !key.is_empty());
        if let (None, Some(file)) = (&key, &args.config) {
            key = Some(settings(Some(file))?.http_api.key);
        }
        Self::new(connector(&args.way)?, &args.url, key.as_deref())
    }

    /// The API of the server at an `http` or `https` URL.
    ///
    /// # Errors
    /// When the URL is none, or the key cannot stand in a header.
    fn new(connector: Connector, url: &str, key: Option<&str>) -> Result<Self, String> {
        let url = url.trim_end_matches('/');
        // The same parts under the name of a WebSocket.
        let socket = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => format!("ws://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => format!("wss://{rest}"),
            _ => {
                return Err(format!(
                    "{url:?} is no URL of a server API; write http://HOST:PORT or https://HOST:PORT"
                ));
            }
        };
        let server: WsUri = socket.parse().map_err(|e| format!("{url}: {e}"))?;
        if server.resource().contains('?') {
            return Err(format!("{url}: the URL of a server has no query; leave out what begins with \"?\""));
        }
        let key = key.filter(|key| !key.is_empty()).map(HeaderValue::from_str).transpose();
        let key = key
            .map_err(|_| "the API key has a character that no header can carry; it is to be visible ASCII")?;
        Ok(Self { connector, url: url.to_owned(), server, key, sender: None })
    }

    /// Calls a method, and gives its result.
    ///
    /// # Errors
    /// A sentence: the server's, when it answers with an error, or what kept it from answering.
    pub(crate) async fn call<R: DeserializeOwned>(
        &mut self,
        method: &str,
        body: Vec<u8>,
    ) -> Result<R, String> {
        let answered = timeout(PATIENCE, self.post(method, body.into())).await;
        let late = |_| format!("{}/api/{method}: no answer in {} s", self.url, PATIENCE.as_secs());
        let (status, body) = answered.map_err(late)??;
        let answer = serde_json::from_slice::<Answer<R>>(&body);
        match answer {
            Ok(Answer { error: Some(ApiError { code, message }), .. }) => {
                Err(format!("error {code}: {message}"))
            }
            Ok(Answer { result: Some(result), .. }) if status.is_success() => Ok(result),
            _ => Err(format!("{}/api/{method}: {}", self.url, no_answer(status, &body))),
        }
    }

    async fn post(&mut self, method: &str, body: Bytes) -> Result<(StatusCode, Bytes), String> {
        let url = format!("{}/api/{method}", self.url);
        let response = self.send(method, body).await.map_err(|e| format!("{url}: {e}"))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER).collect().await;
        Ok((status, body.map_err(|e| format!("{url}: {e}"))?.to_bytes()))
    }

    async fn send(&mut self, method: &str, body: Bytes) -> Result<Response<Incoming>, String> {
        let mut request = self.request(method, body)?;
        loop {
            let kept = self.sender.take().filter(|sender| !sender.is_closed());
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.open().await?,
            };
            // Once the answer before has been taken out of it.
            if sender.ready().await.is_err() && is_kept {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.sender = Some(sender);
                    return Ok(response);
                }
                // The server has ended a connection that lay idle, before anything of this request went out.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(error.into_error().to_string()),
                },
            }
        }
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = self.connector.dial(&self.server).await.map_err(|e| e.to_string())?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        // What ends it is told to the request that waits for its answer.
        spawn_local(connection);
        Ok(sender)
    }

    fn request(&self, method: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let path = format!("{}/api/{method}", self.server.resource().trim_end_matches('/'));
        let mut request = Request::post(path)
            .header(HOST, self.server.authority())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.key {
            request = request.header(API_KEY, key.clone());
        }
        request.body(Full::new(body)).map_err(|e| e.to_string())
    }
}

/// What a response says that is no answer of the API.
fn no_answer(status: StatusCode, body: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
    let way_out = match status {
        StatusCode::UNAUTHORIZED => "; name the key with --key, --config or ANTIPHON_HTTP_API__KEY",
        StatusCode::NOT_FOUND => "; is this the address of an Antiphon server?",
        _ if status.is_success() => "; this is no answer of the server API",
        _ => "",
    };
    if start.is_empty() { format!("{status}{way_out}") } else { format!("{status}: {start}{way_out}") }
}
