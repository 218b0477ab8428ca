//! The endpoints of clients that do not speak WebSocket: streams, polls, and commands beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use antiphon_hub::protocol::{Disconnect, EmulationRequest, Encoding, PollRequest};
use antiphon_hub::{Origin, Unheard, Uplink};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use hyper::http::request;
use hyper::{Method, Response, StatusCode, Version};

use super::name::{queries, query};
use super::router::{Answer, closing, full, not_allowed, plain, refusal};
use super::upgrade::forwarded;
use super::{Taken, Then, cors};
use crate::resident::{self, Dialect, Reply, Wish};
use crate::serve::{Pass, Settings, Transport, Worker};

/// Where the client was, as a browser says it (HTML Standard §9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";

/// One of the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Downlink {
    HttpStream,
    Sse,
    Poll,
    Events,
    Emulation,
}

impl Downlink {
    fn methods(self) -> &'static str {
        match self {
            Self::Sse => "GET, POST, OPTIONS",
            Self::Events => "GET, OPTIONS",
            Self::HttpStream | Self::Poll | Self::Emulation => "POST, OPTIONS",
        }
    }

    fn takes(self, method: &Method) -> bool {
        match *method {
            Method::GET => matches!(self, Self::Sse | Self::Events),
            Method::POST => self != Self::Events,
            _ => false,
        }
    }
}

/// Answers a request to one of the endpoints.
pub(super) async fn answer<B>(
    worker: &Rc<Worker>,
    settings: &Settings,
    peer: IpAddr,
    parts: &request::Parts,
    body: B,
    downlink: Downlink,
) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let has_body = !body.is_end_stream();
    let headers = match cors::check(parts, settings) {
        Ok(headers) => headers,
        Err(refused) => return closing(refusal(peer, &refused), has_body),
    };
    if parts.method == Method::OPTIONS {
        return closing((cors::preflight(headers, downlink.methods()), None), has_body);
    }
    let asked = Asked { worker, settings, peer, parts, headers: &headers };
    let mut answer = if downlink.takes(&parts.method) {
        match asked.read(body).await {
            Ok(body) => asked.answer(downlink, body).await,
            Err(answer) => answer,
        }
    } else {
        closing((not_allowed(&parts.method, downlink.methods()), None), has_body)
    };
    answer.0.headers_mut().extend(headers.clone());
    answer
}

/// A request that may be made, from where it comes.
struct Asked<'r> {
    worker: &'r Rc<Worker>,
    settings: &'r Settings,
    peer: IpAddr,
    parts: &'r request::Parts,
    headers: &'r HeaderMap,
}

impl Asked<'_> {
    /// Reads the body, within the limit of a message.
    async fn read<B>(&self, body: B) -> Result<Bytes, Answer>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let limit = self.settings.config.websocket.message_size_limit;
        let declared =
            self.parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let is_too_long = declared.is_some_and(|declared: u64| declared > limit as u64);
        let read = match is_too_long {
            true => None,
            false => Limited::new(std::pin::pin!(body), limit).collect().await.ok(),
        };
        read.map(|read| read.to_bytes()).ok_or_else(|| {
            let sentence = format!("The body could not be read, or has more than {limit} bytes.\n");
            closing((plain(StatusCode::PAYLOAD_TOO_LARGE, &sentence), None), true)
        })
    }

    async fn answer(&self, downlink: Downlink, body: Bytes) -> Answer {
        match downlink {
            Downlink::HttpStream => {
                let (encoding, dialect) = match self.encoding() {
                    Encoding::Json => (Encoding::Json, Dialect::Lines),
                    Encoding::Protobuf => (Encoding::Protobuf, Dialect::Bare),
                };
                self.stream(antiphon_hub::Transport::HttpStream, encoding, dialect, body)
            }
            Downlink::Sse => {
                let said = match self.parts.method {
                    Method::GET => query(self.parts.uri.query(), "cf_connect").map(Bytes::from),
                    _ => Some(body),
                };
                let Some(said) = said.filter(|said| !said.is_empty()) else {
                    let sentence = "There is no connect command: it stands in the parameter cf_connect, or in the body.\n";
                    return (plain(StatusCode::BAD_REQUEST, sentence), None);
                };
                self.stream(antiphon_hub::Transport::Sse, Encoding::Json, Dialect::Events, said)
            }
            Downlink::Poll => self.poll(&body),
            Downlink::Events => self.events(),
            Downlink::Emulation => self.emulation(&body).await,
        }
    }

    fn encoding(&self) -> Encoding {
        let content_type = self.parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        match content_type {
            Some(b"application/octet-stream") => Encoding::Protobuf,
            _ => Encoding::Json,
        }
    }

    fn stream(
        &self,
        transport: antiphon_hub::Transport,
        encoding: Encoding,
        dialect: Dialect,
        said: Bytes,
    ) -> Answer {
        let counted = match transport {
            antiphon_hub::Transport::Sse => Transport::Sse,
            _ => Transport::HttpStream,
        };
        match self.enter(counted) {
            Ok(pass) => {
                let origin = self.origin(transport, encoding);
                self.taken(Taken::Stream { dialect, said, origin, pass, reply: self.reply() })
            }
            Err(answer) => *answer,
        }
    }

    fn poll(&self, body: &[u8]) -> Answer {
        let Ok(request) = PollRequest::decode_body(body) else {
            return unread("{\"session\":\"...\",\"ack\":0,\"commands\":[...]}");
        };
        if !request.session.is_empty() {
            let directory = self.worker.node.directory();
            if directory.worker(&request.session).is_none() {
                let last = directory.last_word(&request.session);
                return last.map_or_else(|| unheard(Unheard::Gone), |last| ended(request.ack, &last));
            }
            return self.taken(Taken::Poll { request, reply: self.reply() });
        }
        if request.commands.is_empty() {
            return unread("{\"commands\":[{\"id\":1,\"connect\":{...}}]} without a session");
        }
        match self.enter(Transport::Poll) {
            Ok(pass) => {
                let origin = self.origin(antiphon_hub::Transport::Poll, Encoding::Json);
                self.taken(Taken::FirstPoll { request, origin, pass, reply: self.reply() })
            }
            Err(answer) => *answer,
        }
    }

    fn events(&self) -> Answer {
        let asked = self.parts.uri.query();
        let id =
            self.parts.headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
        let id = id.map(Cow::into_owned).or_else(|| query(asked, "last_event_id"));
        // Who has been nowhere may say so.
        let id = id.filter(|id| !id.is_empty());
        let mut known = resident::read_event_id(id.as_deref().unwrap_or_default());
        let channels = queries(asked, "channel").filter(|channel| !channel.is_empty());
        let positions: BTreeMap<_, _> =
            channels.map(|channel| (channel.clone(), known.remove(&channel))).collect();
        let limit = self.settings.config.client.options.channel_limit;
        if positions.is_empty() || (limit > 0 && positions.len() > limit) {
            let sentence = format!(
                "{} channels are asked for: name from 1 to {limit}, as in /events?channel=A&channel=B.\n",
                positions.len()
            );
            return (plain(StatusCode::BAD_REQUEST, &sentence), None);
        }
        let has_envelope = query(asked, "envelope").is_some_and(|value| value == "1" || value == "true");
        let wish = Wish { positions, comes_back: id.is_some(), has_envelope };
        match self.enter(Transport::EventSource) {
            Ok(pass) => {
                let origin = self.origin(antiphon_hub::Transport::EventSource, Encoding::Json);
                let token = self.bearer().or_else(|| query(asked, "token")).unwrap_or_default();
                self.taken(Taken::Events { wish, token, origin, pass, reply: self.reply() })
            }
            Err(answer) => *answer,
        }
    }

    /// The token of the Authorization header (RFC 6750 §2.1).
    fn bearer(&self) -> Option<String> {
        let value = self.parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    }

    async fn emulation(&self, body: &[u8]) -> Answer {
        let Ok(request) = EmulationRequest::decode_body(self.encoding(), body) else {
            return unread("{\"session\":\"...\",\"data\":\"...\"}");
        };
        let EmulationRequest { node, session, data, close } = request;
        let uplink = Uplink { session, commands: data, closes: close };
        match resident::uplink(self.worker, &node, uplink).await {
            Ok(()) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                (response, None)
            }
            Err(not_heard) => unheard(not_heard),
        }
    }

    fn enter(&self, transport: Transport) -> Result<Pass, Box<Answer>> {
        let client = &self.settings.config.client;
        let (limit, rate) = (client.connection_limit, client.connection_rate_limit);
        let gate = &self.worker.shared().gate;
        gate.enter(self.peer, transport, Instant::now(), limit, rate)
            .map_err(|gate| Box::new(full(self.peer, gate)))
    }

    fn origin(&self, transport: antiphon_hub::Transport, encoding: Encoding) -> Origin {
        let headers = forwarded(self.parts, self.settings);
        Origin { encoding, transport, remote: Some(self.peer), headers }
    }

    /// What matters of the request for its response.
    fn reply(&self) -> Reply {
        let is_lasting = self.parts.version == Version::HTTP_11;
        let says = |token: &str| {
            let values =
                self.parts.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
        };
        Reply { keeps_alive: is_lasting && !says("close"), headers: self.headers.clone(), head: None }
    }

    /// The response is not hyper's to write.
    fn taken(&self, taken: Taken) -> Answer {
        (Response::new(Full::default()), Some(Then::Take(taken)))
    }
}

fn unread(shape: &str) -> Answer {
    let sentence = format!("The body is not {shape}.\n");
    (plain(StatusCode::BAD_REQUEST, &sentence), None)
}

/// The last answer of a session that has ended while its client was not listening.
fn ended(ack: u64, disconnect: &Disconnect) -> Answer {
    let push = Encoding::Json.encode(&resident::last_push(disconnect, 0));
    let push = String::from_utf8_lossy(&push);
    json(StatusCode::OK, format!("{{\"seq\":{ack},\"replies\":[{push}]}}\n").into())
}

fn unheard(unheard: Unheard) -> Answer {
    let (status, body) = resident::unheard(unheard);
    json(status, body.into())
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (response, None)
}
