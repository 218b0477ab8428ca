//! What a client makes of what it hears: the state that a client library keeps, with the rules that a client relies on.

use std::collections::{BTreeMap, VecDeque};

use antiphon_hub::delta;
use antiphon_hub::protocol::{
    ChannelRequest, Command, ConnectRequest, ConnectResult, Disconnect, Empty, Encoding, ErrorReply,
    Position, Publication, PublishRequest, Push, Reply, ServerSub, SubscribeRequest, SubscribeResult,
};
use bytes::Bytes;

use super::{Heard, command, encode, replies};

/// The most bytes that a difference may make.
const LIMIT: usize = 1 << 20;

/// What a client has been given in one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A subscription began. `recovered` says what came of recovery, where that was asked for.
    Start { at: Position, recovered: Option<bool> },
    /// A publication, with the whole data.
    Publication { offset: u64, data: Bytes },
    /// A client joined.
    Join(String),
    /// A client left.
    Leave(String),
    /// The server ended the subscription.
    End(u32),
    /// A subscription was refused.
    Refused(u32),
    /// The client ended the subscription.
    Left,
}

/// A client. It lives longer than its connections: what it knows of channels stays.
#[derive(Clone)]
pub(crate) struct View {
    encoding: Encoding,
    /// Its own id, once it is connected.
    pub(crate) client: Option<String>,
    pub(crate) ended: Option<Disconnect>,
    pub(crate) pings: u32,
    /// The error of the last command that failed.
    pub(crate) error: Option<ErrorReply>,
    channels: BTreeMap<String, Known>,
    seen: BTreeMap<String, Vec<Seen>>,
    /// Commands that are not answered yet, in order.
    asked: VecDeque<Command>,
    ids: u32,
    session: Option<Numbers>,
}

/// The session that a client can go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) secret: String,
    /// The number of the last command.
    n: u64,
    /// How many messages have come.
    pub(crate) count: u64,
}

/// What it knows of a channel.
#[derive(Debug, Clone, Default)]
struct Known {
    is_subscribed: bool,
    /// Where it is in the stream, where the subscription has a place there.
    position: Option<Position>,
    /// Publications may be left out: there is a filter.
    has_filter: bool,
    delta: bool,
    /// What the next difference is to.
    base: Option<Bytes>,
}

impl View {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            client: None,
            ended: None,
            pings: 0,
            error: None,
            channels: BTreeMap::new(),
            seen: BTreeMap::new(),
            asked: VecDeque::new(),
            ids: 0,
            session: None,
        }
    }

    /// A new connection begins: nothing is answered any more that was asked on the last.
    pub(crate) fn reconnect(&mut self) {
        self.client = None;
        self.ended = None;
        self.pings = 0;
        self.session = None;
        self.asked.clear();
        self.channels.values_mut().for_each(|known| known.is_subscribed = false);
    }

    fn ask(&mut self, fill: impl FnOnce(&mut Command)) -> Bytes {
        self.ids += 1;
        let mut command = command(self.ids);
        fill(&mut command);
        if let Some(session) = self.session.as_mut().filter(|_| command.connect.is_none()) {
            session.n += 1;
            command.n = session.n;
            // It says now and then how far it has come.
            command.ack = if self.ids.is_multiple_of(4) { session.count } else { 0 };
        }
        let message = encode(&command, self.encoding);
        self.asked.push_back(command);
        message
    }

    /// The session that it can go on with.
    pub(crate) fn session(&self) -> Option<&Numbers> {
        self.session.as_ref()
    }

    /// `connect` to go on with the session. It is answered before all else.
    pub(crate) fn go_on(&mut self, request: ConnectRequest) -> Bytes {
        let Some(Numbers { secret, count, .. }) = &self.session else { panic!("there is no session") };
        let request = ConnectRequest {
            ext: [("session".to_owned(), 1)].into(),
            session: secret.clone(),
            ack: *count,
            ..request
        };
        self.pings = 0;
        encode(&Command { connect: Some(Box::new(request)), ..command(u32::MAX) }, self.encoding)
    }

    /// The commands that the server has not had when it says that it has had `n`.
    pub(crate) fn unheard(&self, n: u64) -> Vec<Bytes> {
        let unheard = self.asked.iter().filter(|command| command.n > n);
        unheard.map(|command| encode(command, self.encoding)).collect()
    }

    /// `connect`.
    pub(crate) fn connect(&mut self, request: ConnectRequest) -> Bytes {
        self.ask(|command| command.connect = Some(Box::new(request)))
    }

    /// `subscribe`, with recovery where the client was in the channel before and `request` is recoverable.
    pub(crate) fn subscribe(&mut self, request: SubscribeRequest) -> Bytes {
        let mut request = request;
        let known = self.channels.entry(request.channel.clone()).or_default();
        known.has_filter = request.tf.is_some();
        if request.recoverable
            && let Some(position) = &known.position
        {
            request.recover = true;
            request.offset = position.offset;
            request.epoch = position.epoch.clone();
        }
        self.ask(|command| command.subscribe = Some(Box::new(request)))
    }

    /// `unsubscribe`.
    pub(crate) fn unsubscribe(&mut self, channel: &str) -> Bytes {
        self.ask(|command| command.unsubscribe = Some(ChannelRequest { channel: channel.to_owned() }))
    }

    /// `publish`.
    pub(crate) fn publish(&mut self, channel: &str, data: Bytes) -> Bytes {
        let request = PublishRequest { channel: channel.to_owned(), data, kind: 0 };
        self.ask(|command| command.publish = Some(request))
    }

    /// Any other command.
    pub(crate) fn say(&mut self, fill: impl FnOnce(&mut Command)) -> Bytes {
        self.ask(fill)
    }

    /// The answer to a ping.
    pub(crate) fn pong(&self) -> Bytes {
        encode(&Command::default(), self.encoding)
    }

    /// `ping`.
    pub(crate) fn ping(&mut self) -> Bytes {
        self.ask(|command| command.ping = Some(Empty {}))
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The channels that it is subscribed to.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().filter(|(_, known)| known.is_subscribed).map(|(name, _)| name.as_str())
    }

    /// The channels that it is not subscribed to, and could recover in.
    pub(crate) fn left(&self) -> impl Iterator<Item = &str> {
        let known =
            self.channels.iter().filter(|(_, known)| !known.is_subscribed && known.position.is_some());
        known.map(|(name, _)| name.as_str())
    }

    pub(crate) fn is_subscribed(&self, channel: &str) -> bool {
        self.channels.get(channel).is_some_and(|known| known.is_subscribed)
    }

    /// Where it is in a channel's stream.
    pub(crate) fn position(&self, channel: &str) -> Option<&Position> {
        self.channels.get(channel)?.position.as_ref()
    }

    /// Gives it a place in a channel that it never was in.
    pub(crate) fn assume(&mut self, channel: &str, position: Position) {
        self.channels.entry(channel.to_owned()).or_default().position = Some(position);
    }

    /// What it has been given in a channel.
    pub(crate) fn seen(&self, channel: &str) -> &[Seen] {
        self.seen.get(channel).map(Vec::as_slice).unwrap_or_default()
    }

    /// The offsets of the publications among that.
    pub(crate) fn offsets(&self, channel: &str) -> Vec<u64> {
        let offset = |seen: &Seen| match seen {
            Seen::Publication { offset, .. } => Some(*offset),
            _ => None,
        };
        self.seen(channel).iter().filter_map(offset).collect()
    }

    /// The same, which it then forgets.
    pub(crate) fn take_seen(&mut self) -> BTreeMap<String, Vec<Seen>> {
        std::mem::take(&mut self.seen)
    }

    /// Takes what has come.
    pub(crate) fn hear_all(&mut self, heard: &[Heard]) {
        heard.iter().for_each(|heard| self.hear(heard));
    }

    pub(crate) fn hear(&mut self, heard: &Heard) {
        assert!(self.ended.is_none(), "{heard:?} after the end");
        match heard {
            Heard::End(disconnect) | Heard::Drop(disconnect) => self.ended = Some(disconnect.clone()),
            Heard::TakeOver(to) => panic!("it goes on with {to:?}, and did not ask for a session"),
            Heard::Message(message) | Heard::Aside(message) => {
                let replies = replies(message, self.encoding);
                if let (Some(session), Heard::Message(_)) = (&mut self.session, heard) {
                    assert_eq!(replies.len(), 1, "each message counts: {replies:?}");
                    session.count += 1;
                }
                for reply in replies {
                    self.hear_reply(&reply);
                }
            }
        }
    }

    /// Takes one reply, push or ping.
    pub(crate) fn hear_reply(&mut self, reply: &Reply) {
        if let Some(push) = &reply.push {
            assert_eq!(reply.id, 0, "a push has no id");
            return self.hear_push(push);
        }
        if *reply == Reply::default() {
            self.pings += 1;
            return;
        }
        let asked = self.asked.pop_front().unwrap_or_else(|| panic!("nobody asked for {reply:?}"));
        assert_eq!(reply.id, asked.id, "answers come in the order of the commands: {reply:?}");
        if let Some(error) = &reply.error {
            self.error = Some(error.clone());
            if let Some(request) = &asked.subscribe {
                self.note(&request.channel, Seen::Refused(error.code));
            }
            return;
        }
        if let Some(connected) = &reply.connect {
            self.hear_connected(connected);
        }
        if let (Some(result), Some(request)) = (&reply.subscribe, &asked.subscribe) {
            self.start(&request.channel, result, Some(request));
        }
        if let (Some(_), Some(request)) = (&reply.unsubscribe, &asked.unsubscribe) {
            if let Some(known) = self.channels.get_mut(&request.channel) {
                known.is_subscribed = false;
            }
            self.note(&request.channel, Seen::Left);
        }
    }

    fn hear_connected(&mut self, connected: &ConnectResult) {
        assert!(self.client.is_none(), "connected twice");
        self.client = Some(connected.client.clone());
        if connected.ext.contains_key("session") {
            self.session = Some(Numbers { secret: connected.session.clone(), n: 0, count: 0 });
        }
        for ServerSub { channel, result } in &connected.subs {
            self.start(channel, result.as_ref().unwrap(), None);
        }
    }

    fn start(&mut self, channel: &str, result: &SubscribeResult, request: Option<&SubscribeRequest>) {
        let known = self.channels.entry(channel.to_owned()).or_default();
        assert!(!known.is_subscribed, "subscribed twice to {channel}");
        let at = Position { offset: result.offset, epoch: result.epoch.clone() };
        if let Some(request) = request {
            let recovers = result.was_recovering && result.recovered;
            assert!(
                !recovers || at.offset == request.offset,
                "it goes on from where the client was: {result:?}"
            );
            assert!(result.was_recovering || result.publications.is_empty(), "{result:?}");
        }
        known.is_subscribed = true;
        known.delta = result.delta;
        known.base = None;
        known.position = (result.positioned || result.recoverable).then(|| at.clone());
        let recovered = result.was_recovering.then_some(result.recovered);
        self.note(channel, Seen::Start { at, recovered });
        let is_newest = self.is_cache(channel);
        assert!(!is_newest || result.publications.len() < 2, "the newest only: {result:?}");
        for publication in &result.publications {
            self.publication(channel, publication, is_newest);
        }
    }

    fn hear_push(&mut self, push: &Push) {
        let channel = push.channel.as_str();
        if let Some(publication) = &push.publication {
            assert!(self.is_subscribed(channel), "not subscribed to {channel}: {push:?}");
            self.publication(channel, publication, false);
        }
        let client = |presence: &antiphon_hub::protocol::Presence| presence.info.clone().unwrap().client;
        if let Some(join) = &push.join {
            assert!(self.is_subscribed(channel), "not subscribed to {channel}: {push:?}");
            self.note(channel, Seen::Join(client(join)));
        }
        if let Some(leave) = &push.leave {
            assert!(self.is_subscribed(channel), "not subscribed to {channel}: {push:?}");
            self.note(channel, Seen::Leave(client(leave)));
        }
        if let Some(unsubscribe) = &push.unsubscribe {
            let known = self.channels.entry(channel.to_owned()).or_default();
            assert!(std::mem::take(&mut known.is_subscribed), "not subscribed to {channel}: {push:?}");
            self.note(channel, Seen::End(unsubscribe.code));
        }
        if let Some(subscribe) = &push.subscribe {
            let result = SubscribeResult {
                offset: subscribe.offset,
                epoch: subscribe.epoch.clone(),
                positioned: subscribe.positioned,
                recoverable: subscribe.recoverable,
                ..SubscribeResult::default()
            };
            self.start(channel, &result, None);
        }
    }

    /// Whether recovery in a channel gives the newest publication only. Such channels begin with `cache`.
    fn is_cache(&self, channel: &str) -> bool {
        channel.starts_with("cache")
    }

    fn publication(&mut self, channel: &str, publication: &Publication, is_newest: bool) {
        let known = self.channels.get_mut(channel).unwrap();
        let Publication { offset, .. } = *publication;
        if let Some(position) = known.position.as_mut().filter(|_| offset > 0) {
            let last = std::mem::replace(&mut position.offset, offset);
            let follows = if known.has_filter || is_newest { offset > last } else { offset == last + 1 };
            assert!(follows, "{offset} came after {last} in {channel}");
        }
        let data = whole(known, publication, self.encoding);
        self.note(channel, Seen::Publication { offset, data });
    }

    fn note(&mut self, channel: &str, seen: Seen) {
        if let Some(list) = self.seen.get_mut(channel) {
            return list.push(seen);
        }
        self.seen.insert(channel.to_owned(), vec![seen]);
    }
}

/// The data, with the difference applied where it is one.
fn whole(known: &mut Known, publication: &Publication, encoding: Encoding) -> Bytes {
    if !known.delta {
        assert!(!publication.delta, "a difference that nobody asked for");
        return publication.data.clone();
    }
    let data = match encoding {
        // Clients that take differences get the data as a string.
        Encoding::Json => serde_json::from_slice::<String>(&publication.data).unwrap().into(),
        Encoding::Protobuf => publication.data.clone(),
    };
    let data = match &known.base {
        Some(base) if publication.delta => {
            let applied = delta::apply(base, &data, LIMIT);
            applied.unwrap_or_else(|e| panic!("{e}: {publication:?} to {base:?}")).into()
        }
        None if publication.delta => panic!("a difference to nothing: {publication:?}"),
        _ => data,
    };
    known.base = Some(Bytes::clone(&data));
    data
}
