//! From a request to a WebSocket.

use antiphon_proto::handshake::{Acceptance, Agreed, Refusal, http};
use hyper::Response;
use hyper::http::request;

use super::router::Socket;
use crate::channels;
use crate::protocol::SUBPROTOCOL;
use crate::serve::Settings;

/// What follows a 101.
#[derive(Debug)]
pub(crate) enum Upgrade {
    Echo(Agreed),
    /// With the name of the channel.
    Raw(Agreed, String),
    Client(Agreed),
}

/// Checks an opening handshake and answers it.
///
/// # Errors
/// A refusal that says which rule the request breaks, or which setting closes the endpoint.
pub(super) fn accept(
    request: &request::Parts,
    settings: &Settings,
    socket: Socket<'_>,
) -> Result<(Response<()>, Upgrade), Refusal> {
    let opening = http::check(request, &settings.handshake)?;
    let subprotocols: &[&str] = match socket {
        Socket::Client => &[SUBPROTOCOL],
        Socket::Echo | Socket::Raw(_) => &[],
    };
    let acceptance = Acceptance { subprotocols, deflate: settings.deflate.as_ref(), headers: &[] };
    let (response, agreed) =
        opening.accept_http(&acceptance).map_err(|e| opening.refuse(500, &format!("The answer has {e}.")))?;
    let upgrade = match socket {
        Socket::Echo => Upgrade::Echo(agreed),
        Socket::Raw(segment) => {
            let channel = channels::parse_name(segment, settings.config.channel.naming.max_length);
            let channel = channel.map_err(|sentence| opening.refuse(400, &sentence))?;
            raw_is_open(settings).map_err(|setting| {
                opening.refuse(403, &format!("/raw needs no token, and is closed until {setting} is true."))
            })?;
            Upgrade::Raw(agreed, channel)
        }
        Socket::Client => {
            let offered: Vec<&str> = opening.subprotocols().collect();
            // A browser would fail the connection, and not say why.
            if agreed.subprotocol.is_none() && !offered.is_empty() {
                let sentence = format!(
                    "None of the subprotocols offered ({}) is spoken here; offer {SUBPROTOCOL}, or none.",
                    offered.join(", ")
                );
                return Err(opening.refuse(400, &sentence));
            }
            Upgrade::Client(agreed)
        }
    };
    Ok((response, upgrade))
}

/// Who is in `/raw/x` subscribes and publishes without saying who it is.
fn raw_is_open(settings: &Settings) -> Result<(), &'static str> {
    let (client, channel) = (&settings.config.client, &settings.config.channel);
    let conditions = [
        (
            client.options.allow_anonymous_connect_without_token,
            "client.allow_anonymous_connect_without_token",
        ),
        (
            channel.without_namespace.allow_subscribe_for_client,
            "channel.without_namespace.allow_subscribe_for_client",
        ),
        (
            channel.without_namespace.allow_publish_for_client,
            "channel.without_namespace.allow_publish_for_client",
        ),
    ];
    conditions.iter().find(|(open, _)| !open).map_or(Ok(()), |(_, setting)| Err(setting))
}
