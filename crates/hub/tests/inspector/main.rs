//! What the inspector is told of sessions, in virtual time.
//!
//! `ANTIPHON_LONG=1` lists a hundred thousand of them.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

#[path = "../common/mod.rs"]
mod common;
mod detail;
mod list;
mod many;
mod paging;
mod traces;

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use antiphon_hub::inspect::{Page, Query};
use antiphon_hub::options::{ChannelOptions, ClientOptions, Namespace};
use antiphon_hub::protocol::Encoding;
use antiphon_hub::rules::RuleBook;
use antiphon_hub::{Origin, Span, Transport, WorkerId};
use serde_json::{Value, json};

use common::{Heard, Peer, World, WorldParts, token};

/// A world in which everybody may do everything, with a namespace that keeps what is published.
fn world(workers: WorkerId) -> World {
    let open = ChannelOptions {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        ..ChannelOptions::default()
    };
    let kept =
        ChannelOptions { history_size: 10, history_ttl: Span::seconds(60), join_leave: true, ..open.clone() };
    let client = ClientOptions { allow_anonymous_connect_without_token: true, ..ClientOptions::default() };
    let namespaces = vec![Namespace {
        name: "kept".into(),
        options: ChannelOptions {
            presence: true,
            allow_presence_for_client: true,
            allow_presence_for_anonymous: true,
            ..kept
        },
    }];
    let book = RuleBook { client, without_namespace: open, namespaces, ..RuleBook::default() };
    World::with(WorldParts { book, workers, ..WorldParts::default() })
}

fn origin(transport: Transport, remote: Option<IpAddr>) -> Origin {
    Origin { encoding: Encoding::Json, transport, remote, headers: Arc::default() }
}

/// A client of a worker that has connected with this request.
fn connected(world: &World, worker: usize, request: Value) -> Peer {
    connected_from(world, worker, origin(Transport::WebSocket, None), request)
}

fn connected_from(world: &World, worker: usize, origin: Origin, request: Value) -> Peer {
    let mut peer = Peer::with(origin, world, worker);
    let mut command = json!({ "id": 1 });
    command["connect"] = request;
    let heard = say(world, &mut peer, &command);
    assert!(heard.contains("\"connect\""), "{heard}");
    peer
}

/// A user's token.
fn of(user: &str) -> Value {
    json!({ "token": token(&json!({ "sub": user })) })
}

/// What a client hears in the turn in which it says something, on lines.
fn say(world: &World, peer: &mut Peer, command: &Value) -> String {
    peer.receive(command.to_string());
    peer.turn(world);
    heard(peer)
}

fn heard(peer: &Peer) -> String {
    let line = |heard: Heard| match heard {
        Heard::Message(message) | Heard::Aside(message) => String::from_utf8(message.to_vec()).unwrap(),
        other => format!("{other:?}"),
    };
    peer.take().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn subscribe(world: &World, peer: &mut Peer, channel: &str) {
    let heard = say(world, peer, &json!({ "id": 2, "subscribe": { "channel": channel } }));
    assert!(heard.contains("\"subscribe\""), "{heard}");
}

/// One turn of a worker's answering: how many connections it looked at.
fn turn(world: &World, worker: usize) -> usize {
    world.locals[worker].answer(world.now(), world.unix_ms())
}

/// Whether a worker is asked something.
fn is_asked(world: &World, worker: usize) -> bool {
    world.locals[worker].poll_asked(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The answer to a question, when all workers have had as many turns as they need.
fn answered<T>(world: &World, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Some(value) = poll(future.as_mut()) {
            return value;
        }
        for worker in (0..world.locals.len()).filter(|worker| is_asked(world, *worker)) {
            turn(world, worker);
        }
    }
    panic!("a question is not answered");
}

fn list(world: &World, query: Query) -> Page {
    let query = if query.limit == 0 { Query { limit: 50, ..query } } else { query };
    answered(world, world.node.inspector().connections(query).unwrap())
}
