//! `GET connections`, and what there is to know and to do about one of them.

use std::rc::Rc;
use std::time::Duration;

use antiphon_hub::inspect::{Connection, ConnectionDetail, Query};
use antiphon_hub::protocol::{Disconnect, Encoding, Position};
use antiphon_hub::{Transport, Whom};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{AdminError, AdminRequest, Json, Page, cursor};
use crate::serve::Worker;

/// How long the workers may take to answer. They need milliseconds; one that has ended never does.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Connections {
    connections: Vec<Row>,
    total: usize,
    next: Option<String>,
}

/// One connection, as a list has it.
#[derive(Serialize)]
struct Row {
    client: String,
    user: String,
    name: String,
    version: String,
    transport: &'static str,
    encoding: &'static str,
    address: Option<String>,
    connected_at: u64,
    state: &'static str,
    channels: usize,
    queue_bytes: usize,
    rtt_ms: Option<f64>,
    traced: bool,
}

/// One connection in full.
#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    row: Row,
    subscriptions: Vec<Subscription>,
    transports: Vec<Carried>,
    resumable: bool,
    waiting_until: Option<u64>,
    info: Option<Box<RawValue>>,
    expires_at: Option<u64>,
    messages_in: u64,
    messages_out: u64,
}

#[derive(Serialize)]
struct Subscription {
    channel: String,
    position: Option<Position>,
    recoverable: bool,
    join_leave: bool,
    server_side: bool,
}

#[derive(Serialize)]
struct Carried {
    at: u64,
    transport: &'static str,
    address: Option<String>,
}

impl From<Connection> for Row {
    fn from(connection: Connection) -> Self {
        Self {
            client: connection.client.to_string(),
            user: connection.user.to_string(),
            name: connection.name,
            version: connection.version,
            transport: connection.transport.name(),
            encoding: match connection.encoding {
                // What is listened to as plain events is no protocol of ours.
                _ if connection.transport == Transport::EventSource => "raw",
                Encoding::Json => "json",
                Encoding::Protobuf => "protobuf",
            },
            address: connection.address.map(|address| address.to_string()),
            connected_at: connection.connected_at,
            state: if connection.is_waiting { "waiting" } else { "connected" },
            channels: connection.channels,
            queue_bytes: connection.queue_bytes,
            rtt_ms: connection.round_trip.map(|rtt| rtt.as_micros() as f64 / 1000.0),
            traced: connection.is_traced,
        }
    }
}

impl From<ConnectionDetail> for One {
    fn from(detail: ConnectionDetail) -> Self {
        let subscriptions = detail.subscriptions.into_iter().map(|subscription| Subscription {
            channel: subscription.channel,
            position: subscription.position,
            recoverable: subscription.is_recoverable,
            join_leave: subscription.sees_joins,
            server_side: subscription.is_server_side,
        });
        let transports = detail.transports.into_iter().map(|carried| Carried {
            at: carried.at,
            transport: carried.transport.name(),
            address: carried.address.map(|address| address.to_string()),
        });
        Self {
            row: detail.connection.into(),
            subscriptions: subscriptions.collect(),
            transports: transports.collect(),
            resumable: detail.is_resumable,
            waiting_until: detail.waiting_until,
            info: serde_json::from_slice(&detail.info).ok(),
            expires_at: detail.expires_at,
            messages_in: detail.messages_in,
            messages_out: detail.messages_out,
        }
    }
}

/// `GET connections`: those that match, the newest first.
pub(super) async fn list(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let text = |name: &str| request.query(name).unwrap_or_default();
    let Page { limit, after } = request.page()?;
    let query = Query {
        search: text("search"),
        user: text("user"),
        client: text("client"),
        channel: text("channel"),
        address: text("address"),
        transport: request.query("transport").map(|name| transport(&name)).transpose()?,
        limit,
        after,
    };
    let coming = worker.node.inspector().connections(query);
    let coming =
        coming.map_err(|busy| AdminError::too_many_requests(sentence(&busy), Duration::from_secs(1)))?;
    let page = within(coming).await?;
    Json::of(&Connections {
        connections: page.connections.into_iter().map(Row::from).collect(),
        total: page.total,
        next: page.next.as_ref().map(cursor).transpose()?,
    })
}

/// `GET connections/{client}`.
pub(super) async fn one(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    Json::of(&One::from(look(worker, request.name(0)).await?))
}

/// What a disconnect says, unless it says otherwise.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct End {
    code: Option<u32>,
    reason: Option<String>,
}

/// `POST connections/{client}/disconnect`.
pub(super) async fn disconnect(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let End { code, reason } = if request.body.is_empty() { End::default() } else { request.json()? };
    let standard = Disconnect::FORCE_NO_RECONNECT;
    let disconnect = Disconnect {
        code: code.unwrap_or(standard.code),
        reason: reason.map_or(standard.reason, Into::into),
    };
    let client = request.name(0);
    look(worker, client).await?;
    let whom = Whom { client: Some(client.to_owned()), ..Whom::default() };
    worker.node.api().disconnect(whom, disconnect)?;
    Ok(Json::nothing())
}

/// One connection.
///
/// # Errors
/// 404.
pub(super) async fn look(worker: &Worker, client: &str) -> Result<ConnectionDetail, AdminError> {
    within(worker.node.inspector().connection(client)).await?.ok_or_else(|| nobody(client))
}

/// 404 for a connection.
pub(super) fn nobody(client: &str) -> AdminError {
    AdminError::not_found(format!(
        "There is no connection {client:?}: it has ended, or its id is another one; the list of connections has those there are."
    ))
}

/// An answer of the workers.
///
/// # Errors
/// 500, when it does not come.
pub(super) async fn within<T>(coming: impl Future<Output = T>) -> Result<T, AdminError> {
    let answer = tokio::time::timeout(PATIENCE, coming).await;
    answer.map_err(|_| {
        AdminError::internal(&format!("the workers did not answer within {} s", PATIENCE.as_secs()))
    })
}

/// A fault as a sentence of its own.
pub(super) fn sentence(fault: &dyn std::fmt::Display) -> String {
    let text = fault.to_string();
    let (first, rest) = text.split_at(text.ceil_char_boundary(1));
    format!("{}{rest}.", first.to_uppercase())
}

fn transport(name: &str) -> Result<Transport, AdminError> {
    let all = [
        Transport::WebSocket,
        Transport::HttpStream,
        Transport::Sse,
        Transport::Poll,
        Transport::EventSource,
    ];
    all.into_iter().find(|transport| transport.name() == name).ok_or_else(|| {
        let names = all.map(Transport::name).join(", ");
        AdminError::bad_request(format!("transport is {name:?}; there are {names}."))
    })
}
