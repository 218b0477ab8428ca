//! From a request to a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;

use antiphon_hub::protocol::Encoding;
use antiphon_hub::rules::SubscribeRule;
use antiphon_hub::{Origin, Transport};
use antiphon_proto::handshake::{Acceptance, Agreed, Refusal, http};
use hyper::ext::Protocol;
use hyper::http::request;
use hyper::{Response, Version};

use super::name;
use super::router::Socket;
use crate::serve::{Pass, Settings, Worker};

/// What follows a 101.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(super) kind: Kind,
    pub(super) pass: Pass,
}

/// Which WebSocket it is.
#[derive(Debug)]
pub(super) enum Kind {
    Echo(Agreed),
    /// With the name of the channel.
    Raw(Agreed, String),
    Client(Agreed, Origin),
}

/// Checks an opening handshake and answers it.
///
/// # Errors
/// A refusal that says which rule the request breaks, or which setting closes the endpoint.
pub(super) fn accept(
    request: &request::Parts,
    worker: &Worker,
    settings: &Settings,
    peer: IpAddr,
    socket: Socket<'_>,
) -> Result<(Response<()>, Kind), Refusal> {
    let opening = if request.version == Version::HTTP_2 {
        let protocol = request.extensions.get::<Protocol>().map(Protocol::as_str);
        http::check_connect(request, protocol, &settings.handshake)?
    } else {
        http::check(request, &settings.handshake)?
    };
    let spoken = [Encoding::Json.subprotocol(), Encoding::Protobuf.subprotocol()];
    let subprotocols: &[&str] = match socket {
        Socket::Client => &spoken,
        Socket::Echo | Socket::Raw(_) => &[],
    };
    let acceptance = Acceptance { subprotocols, deflate: settings.deflate.as_ref(), headers: &[] };
    let (response, agreed) =
        opening.accept_http(&acceptance).map_err(|e| opening.refuse(500, &format!("The answer has {e}.")))?;
    let kind = match socket {
        Socket::Echo => Kind::Echo(agreed),
        Socket::Raw(segment) => {
            let channel = name::parse(segment, settings.config.channel.naming.max_length);
            let channel = channel.map_err(|sentence| opening.refuse(400, &sentence))?;
            raw_is_open(worker, &channel).map_err(|sentence| opening.refuse(403, &sentence))?;
            Kind::Raw(agreed, channel)
        }
        Socket::Client => {
            let offered: Vec<&str> = opening.subprotocols().collect();
            // A browser would fail the connection, and not say why.
            if agreed.subprotocol.is_none() && !offered.is_empty() {
                let sentence = format!(
                    "None of the subprotocols offered ({}) is spoken here; offer {}, or none.",
                    offered.join(", "),
                    spoken.join(" or ")
                );
                return Err(opening.refuse(400, &sentence));
            }
            let is_protobuf = agreed.subprotocol.as_deref() == Some(Encoding::Protobuf.subprotocol());
            let origin = Origin {
                encoding: if is_protobuf { Encoding::Protobuf } else { Encoding::Json },
                transport: Transport::WebSocket,
                remote: Some(peer),
                headers: forwarded(request, settings),
            };
            Kind::Client(agreed, origin)
        }
    };
    Ok((response, kind))
}

/// The headers that hooks are given.
pub(super) fn forwarded(request: &request::Parts, settings: &Settings) -> Arc<[(Box<str>, Box<str>)]> {
    if settings.forwarded_headers.is_empty() {
        // Shares one empty list.
        return Arc::default();
    }
    let mut list = Vec::new();
    for name in &*settings.forwarded_headers {
        let values = request.headers.get_all(&**name).iter().filter_map(|value| value.to_str().ok());
        list.extend(values.map(|value| (name.clone(), value.into())));
    }
    list.into()
}

/// Who is in `/raw/x` subscribes and publishes without saying who it is.
fn raw_is_open(worker: &Worker, channel: &str) -> Result<(), String> {
    let rules = worker.node.rules();
    let channel =
        rules.channel(channel).map_err(|error| format!("{channel:?} is no channel here: {error}."))?;
    let client = &rules.client;
    let conditions = [
        (
            client.allow_anonymous_connect_without_token || client.insecure,
            "client.allow_anonymous_connect_without_token is true",
        ),
        (
            rules.subscribe(&channel, "") == SubscribeRule::Allowed,
            "allow_subscribe_for_client and allow_subscribe_for_anonymous are true for the channel",
        ),
        (
            rules.may_publish(&channel, "", true) && !channel.rules.options.publish_proxy_enabled,
            "allow_publish_for_client and allow_publish_for_anonymous are true for the channel",
        ),
    ];
    let closed = conditions.iter().find(|(open, _)| !open);
    closed.map_or(Ok(()), |(_, condition)| {
        Err(format!("/raw needs no token, and is closed until {condition}."))
    })
}
