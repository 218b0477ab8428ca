//! Sessions in virtual time, with everything that they stand on in memory.

mod commands;
mod expiry;
mod late;
mod loss;
mod orders;
mod pulse;
mod recovery;
mod resume;
mod subscriptions;
mod takeover;
mod waiting;

#[path = "../../tests/common/mod.rs"]
mod common;

use crate::Span;
use crate::engine::Publish;
use crate::options::{ChannelOptions, ClientOptions, Namespace};
use crate::protocol::Encoding;
use crate::rules::RuleBook;

use common::{Heard, Peer, World, json, publish};

/// A book of rules in which anonymous clients may do everything, but for what `change` makes of it.
fn book(change: impl FnOnce(&mut RuleBook)) -> RuleBook {
    let client = ClientOptions { allow_anonymous_connect_without_token: true, ..ClientOptions::default() };
    let mut book = RuleBook { client, without_namespace: open(), ..RuleBook::default() };
    change(&mut book);
    book
}

/// Channels that are open to everybody, and keep nothing.
fn open() -> ChannelOptions {
    ChannelOptions {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_presence_for_client: true,
        allow_presence_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        ..ChannelOptions::default()
    }
}

/// The same, which keep ten publications for a minute.
fn kept() -> ChannelOptions {
    ChannelOptions { history_size: 10, history_ttl: Span::seconds(60), ..open() }
}

fn namespace(name: &str, options: ChannelOptions) -> Namespace {
    Namespace { name: name.into(), options }
}

/// A client that says lines of JSON, and hears lines.
struct Client<'a> {
    world: &'a World,
    peer: Peer,
}

impl<'a> Client<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, peer: Peer::new(world, 0, Encoding::Json) }
    }

    /// One that has connected.
    fn connected(world: &'a World) -> Self {
        Self::connected_with(world, "{}")
    }

    /// One that has connected with this request.
    fn connected_with(world: &'a World, request: &str) -> Self {
        let mut client = Self::new(world);
        let heard = client.say(&format!(r#"{{"id":1,"connect":{request}}}"#));
        assert!(heard.contains(r#""connect":{"client""#), "{heard}");
        client
    }

    /// What it hears in the turn in which it says something.
    fn say(&mut self, line: &str) -> String {
        self.peer.receive(line.to_owned());
        self.turn()
    }

    /// What it hears in a turn, on lines.
    fn turn(&mut self) -> String {
        self.peer.turn(self.world);
        self.heard()
    }

    /// What it has been told, on lines. The end is its code.
    fn heard(&self) -> String {
        let line = |heard: Heard| match heard {
            Heard::Message(message) | Heard::Aside(message) => String::from_utf8(message.to_vec()).unwrap(),
            Heard::End(disconnect) => disconnect.code.to_string(),
            Heard::Drop(disconnect) => format!("drop {}", disconnect.code),
            Heard::TakeOver(to) => format!("goes on with {} after {}", to.session, to.ack),
        };
        self.peer.take().into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn subscribe(&mut self, channel: &str) {
        let heard = self.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#));
        assert!(heard.starts_with(r#"{"id":2,"subscribe":{"#), "{heard}");
    }

    fn id(&self) -> String {
        self.peer.session().id().to_string()
    }
}

/// Publishes as the server API does, with what the channel keeps.
fn publish_in(world: &World, channel: &str, data: &str) {
    world.publish(channel, publication(world, channel, data));
}

fn publication(world: &World, channel: &str, data: &str) -> Publish {
    let options = &world.node.rules();
    let delta = options.channel(channel).unwrap().rules.options.delta_publish;
    Publish { delta, ..publish(json(data), world.keep(channel)) }
}
