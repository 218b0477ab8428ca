//! Following channels through connections that come and go, without a socket.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_hub::protocol::{
    Command, ConnectResult, Disconnect, ErrorReply, HistoryRequest, HistoryResult, Position, Publication,
    Push, Reply, SubscribeRequest, SubscribeResult, UnsubscribePush,
};

use super::line::line;
use crate::cli::SubArgs;
use crate::client::{PONG, connect_command, connected, replies, text_of};

/// How long the server may take to answer `connect`.
const CONNECT: Duration = Duration::from_secs(10);

/// A ping may come so much later than it is due.
const PING_DELAY: Duration = Duration::from_secs(10);

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// To be sent as a text message.
    Send(String),
    /// A publication, to be printed.
    Print(String),
    /// To be told to whoever watches.
    Tell(String),
}

/// Why a connection is given up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The next one may do better.
    Retry(String),
    /// The next one would fare the same.
    Final(String),
}

/// Follows channels: says what to send, takes what comes, and keeps its place in every channel from one connection to the next.
///
/// [`handle_open`](Self::handle_open) begins each connection; [`handle_message`](Self::handle_message) takes what comes on it;
/// and after each of them [`poll_output`](Self::poll_output) says what to do, until it says nothing.
#[derive(Debug)]
pub(super) struct Follower {
    token: Option<String>,
    sub_token: String,
    channels: Vec<Followed>,
    /// The longest time without a message after which the server is to be given up.
    patience: Option<Duration>,
    /// Pings want an answer.
    pong: bool,
    /// This connection has been of use.
    settled: bool,
    output: VecDeque<Output>,
}

/// A channel, and the place in it.
#[derive(Debug)]
struct Followed {
    name: String,
    /// The last publication that is not to come again, where the channel can be recovered.
    position: Option<Position>,
    /// So many publications of the past are still to be shown.
    history: u32,
    /// Publications that came while the history was being fetched, which stands before them.
    held: Option<Vec<Publication>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not subscribed yet.
    New,
    /// Subscribed on this connection or the one before.
    Joined,
    /// The server has ended the subscription for good.
    Left,
}

impl Follower {
    pub(super) fn new(args: &SubArgs) -> Self {
        let since =
            args.since.map(|offset| Position { offset, epoch: args.epoch.clone().unwrap_or_default() });
        let first = |(at, name): &(usize, &String)| !args.channels[..*at].contains(name);
        let channels = args.channels.iter().enumerate().filter(first).map(|(_, name)| Followed {
            name: name.clone(),
            position: since.clone(),
            history: args.history.unwrap_or_default(),
            held: None,
            state: State::New,
        });
        Self {
            token: args.token.clone(),
            sub_token: args.sub_token.clone().unwrap_or_default(),
            channels: channels.collect(),
            patience: None,
            pong: false,
            settled: false,
            output: VecDeque::new(),
        }
    }

    /// The longest time without a message after which the server is to be given up; without it, it may be silent for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Whether a subscription has come about on this connection.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// A connection has opened.
    pub(super) fn handle_open(&mut self) {
        self.patience = Some(CONNECT);
        self.settled = false;
        self.output.retain(|output| !matches!(output, Output::Send(_)));
        for followed in &mut self.channels {
            followed.held = None;
            if followed.history > 0 {
                // Nothing of it has been shown: it begins anew.
                followed.position = None;
                followed.state = State::New;
            }
        }
        self.send(&[connect_command(self.token.as_deref())]);
    }

    /// A text message has come.
    ///
    /// # Errors
    /// When the connection is to be given up.
    pub(super) fn handle_message(&mut self, text: &str) -> Result<(), End> {
        for reply in replies(text) {
            self.handle_reply(reply.map_err(End::Final)?)?;
        }
        Ok(())
    }

    /// What to do next.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    fn handle_reply(&mut self, reply: Reply) -> Result<(), End> {
        let Reply { id, error, push, connect, subscribe, history, .. } = reply;
        match id {
            0 => {
                if let Some(push) = push {
                    return self.handle_push(*push);
                }
                if self.pong {
                    self.output.push_back(Output::Send(PONG.to_owned()));
                }
            }
            1 => match (error, connect) {
                (Some(error), _) => return Err(refused("connect", &error)),
                (None, connect) => self.handle_connected(&connected(connect).map_err(End::Final)?),
            },
            _ => {
                let (at, is_history) = (id as usize / 2 - 1, id % 2 == 1);
                let Some(followed) = self.channels.get_mut(at) else { return Ok(()) };
                match error {
                    Some(error) => return Err(refused(&followed.name, &error)),
                    None if is_history => self.handle_history(at, history.unwrap_or_default()),
                    None => self.handle_subscribed(at, *subscribe.unwrap_or_default()),
                }
            }
        }
        Ok(())
    }

    fn handle_connected(&mut self, connected: &ConnectResult) {
        let ping = Duration::from_secs(connected.ping.into());
        self.patience = (!ping.is_zero()).then(|| ping + PING_DELAY);
        self.pong = connected.pong;
        let wanted = (0..self.channels.len()).filter(|at| self.channels[*at].state != State::Left);
        let commands: Vec<_> = wanted.map(|at| self.subscribe_command(at)).collect();
        self.send(&commands);
    }

    fn subscribe_command(&self, at: usize) -> Command {
        let Followed { name, position, .. } = &self.channels[at];
        let recover = position.is_some();
        let Position { offset, epoch } = position.clone().unwrap_or_default();
        let (channel, token) = (name.clone(), self.sub_token.clone());
        let request =
            SubscribeRequest { channel, token, recover, offset, epoch, ..SubscribeRequest::default() };
        // So that the next connection can take up where this one ends, wherever the channel allows it.
        let request = SubscribeRequest { recoverable: true, positioned: true, ..request };
        Command { id: id(at, false), subscribe: Some(request.into()), ..Command::default() }
    }

    fn handle_subscribed(&mut self, at: usize, result: SubscribeResult) {
        self.settled = true;
        let followed = &mut self.channels[at];
        let name = &followed.name;
        match (&followed.position, followed.state) {
            (Some(Position { offset, .. }), _) if !result.recovered => {
                let missed =
                    format!("{name}: missed publications: not all after offset {offset} can be recovered");
                self.output.push_back(Output::Tell(missed));
            }
            (None, State::Joined) => {
                let missed =
                    format!("{name}: what was published meanwhile is missed: the channel keeps no history");
                self.output.push_back(Output::Tell(missed));
            }
            _ => {}
        }
        followed.state = State::Joined;
        let SubscribeResult { recoverable, offset, epoch, publications, .. } = result;
        followed.position = recoverable.then_some(Position { offset, epoch });
        if followed.history > 0 {
            followed.held = Some(Vec::new());
            let limit = i32::try_from(followed.history).unwrap_or(i32::MAX);
            let request = HistoryRequest { channel: name.clone(), limit, reverse: true, since: None };
            self.send(&[Command { id: id(at, true), history: Some(request), ..Command::default() }]);
        }
        for publication in publications {
            self.handle_publication(at, publication);
        }
    }

    fn handle_history(&mut self, at: usize, history: HistoryResult) {
        let followed = &mut self.channels[at];
        if std::mem::take(&mut followed.history) == 0 {
            return;
        }
        let held = followed.held.take().unwrap_or_default();
        for publication in history.publications.into_iter().rev() {
            self.handle_publication(at, publication);
        }
        // What was published after the subscription and before the history was read stands in both.
        for publication in held.into_iter().filter(|publication| publication.offset > history.offset) {
            self.handle_publication(at, publication);
        }
    }

    fn handle_push(&mut self, push: Push) -> Result<(), End> {
        let Push { channel, publication, unsubscribe, disconnect, .. } = push;
        if let Some(ended) = disconnect {
            return Err(disconnected(ended.code, &ended.reason));
        }
        // The server may have subscribed this client to more than was asked for.
        let Some(at) = self.channels.iter().position(|followed| followed.name == channel) else {
            return Ok(());
        };
        match (publication, unsubscribe) {
            (Some(publication), _) => {
                self.handle_publication(at, publication);
                Ok(())
            }
            (None, Some(ended)) => self.handle_unsubscribed(at, &ended),
            (None, None) => Ok(()),
        }
    }

    fn handle_unsubscribed(&mut self, at: usize, ended: &UnsubscribePush) -> Result<(), End> {
        let followed = &mut self.channels[at];
        let UnsubscribePush { code, reason } = ended;
        let ended = format!("{}: unsubscribed by the server: {code} {reason}", followed.name);
        followed.held = None;
        if *code >= 2500 {
            self.output.push_back(Output::Tell(ended));
            let command = self.subscribe_command(at);
            self.send(&[command]);
            return Ok(());
        }
        followed.state = State::Left;
        if self.channels.iter().all(|followed| followed.state == State::Left) {
            return Err(End::Final(ended));
        }
        self.output.push_back(Output::Tell(ended));
        Ok(())
    }

    fn handle_publication(&mut self, at: usize, publication: Publication) {
        let Followed { name, position, held, .. } = &mut self.channels[at];
        if let Some(held) = held {
            held.push(publication);
            return;
        }
        if let Some(position) = position {
            position.offset = position.offset.max(publication.offset);
        }
        let epoch = position.as_ref().map_or("", |position| &position.epoch);
        self.output.push_back(match line(name, epoch, &publication) {
            Ok(line) => Output::Print(line),
            Err(error) => Output::Tell(format!("{name}: a publication cannot be printed: {error}")),
        });
    }

    fn send(&mut self, commands: &[Command]) {
        if !commands.is_empty() {
            self.output.push_back(Output::Send(text_of(commands)));
        }
    }
}

/// The id of the command that subscribes to a channel, and of the one that asks for its history: 1 is `connect`.
fn id(at: usize, is_history: bool) -> u32 {
    u32::try_from(2 * (at + 1)).unwrap_or(u32::MAX - 1) + u32::from(is_history)
}

/// What a command came to that the server answered with an error.
fn refused(what: &str, error: &ErrorReply) -> End {
    let ErrorReply { code, message, temporary } = error;
    let said = format!("{what}: error {code}: {message}");
    if *temporary || *code < 100 { End::Retry(said) } else { End::Final(said) }
}

/// What a connection came to that the server ended with a code.
pub(super) fn disconnected(code: u32, reason: &str) -> End {
    let said = format!("disconnected by the server: {code} {reason}");
    let said = said.trim_end().to_owned();
    // 1009: what this client sends is larger than the server takes, and will be again.
    let is_final = code == 1009 || !Disconnect { code, reason: "".into() }.is_reconnect();
    if is_final { End::Final(said) } else { End::Retry(said) }
}

#[cfg(test)]
mod tests;
