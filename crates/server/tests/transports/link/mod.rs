//! A client of the client protocol, whatever the transport: it numbers what it says and counts what it hears, where it has a session.

mod carrier;
mod way;
mod wire;

use std::collections::VecDeque;

use antiphon_hub::protocol::{EmulationRequest, Encoding};
use prost::Message as _;
use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::rig::Rig;

use carrier::{Carrier, Heard, content_type};
pub(crate) use way::{Transport, Way, over};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// With a code and a reason.
    Said(u64, String),
    /// Without a word.
    Silent,
    /// A poll was refused.
    Refused(u16),
}

/// A client that has said `connect`.
pub(crate) struct Link {
    pub(crate) way: Way,
    port: u16,
    carrier: Carrier,
    /// For commands on transports that only bring messages.
    beside: Option<Http>,
    /// Heard, and not looked at yet.
    waiting: VecDeque<Value>,
    /// Commands that go with the next poll.
    unsaid: Vec<Value>,
    /// Whether a poll is under way.
    polls: bool,
    /// What `connect` was answered.
    pub(crate) connected: Value,
    /// How many messages came that count.
    pub(crate) count: u64,
    /// The number of the last command.
    pub(crate) n: u64,
    id: u64,
    /// What was said with numbers.
    log: Vec<Value>,
    /// How many pings came.
    pub(crate) pings: u64,
    /// So many of them are answered.
    pub(crate) pongs: u64,
    /// The push that said that the connection ends.
    pub(crate) farewell: Option<Value>,
}

impl Link {
    /// Connects, and hears the answer.
    pub(crate) fn open(rig: &Rig, way: Way) -> Self {
        Self::open_with(rig, way, json!({}))
    }

    /// The same with more in `connect`.
    pub(crate) fn open_with(rig: &Rig, way: Way, connect: Value) -> Self {
        let mut link = Self::begin(rig.port(), way, connect);
        link.welcome();
        link
    }

    /// Says `connect`.
    pub(crate) fn begin(port: u16, way: Way, mut connect: Value) -> Self {
        if way.has_session {
            connect["ext"] = json!({ "session": 1 });
        }
        let count = connect.get("ack").and_then(Value::as_u64).unwrap_or_default();
        let carrier = Carrier::open(port, way, &[json!({ "id": 1, "connect": connect })]);
        Self {
            way,
            port,
            carrier,
            beside: None,
            waiting: VecDeque::new(),
            unsaid: Vec::new(),
            polls: way.transport.is_poll(),
            connected: Value::Null,
            count,
            n: 0,
            id: 1,
            log: Vec::new(),
            pings: 0,
            pongs: u64::MAX,
            farewell: None,
        }
    }

    /// Hears the answer to `connect`.
    pub(crate) fn welcome(&mut self) {
        let answer = self.hear();
        assert_eq!(answer["id"], 1, "{answer}");
        self.connected = answer["connect"].clone();
        assert!(self.connected["client"].is_string(), "{answer}");
        if self.connected["resumed"] != true {
            // What was counted belongs to the session before.
            (self.count, self.n, self.log) = (0, 0, Vec::new());
            return;
        }
        let taken = self.connected["n"].as_u64().unwrap_or_default();
        self.n = self.log.len() as u64;
        let lacking = self.log.iter().filter(|command| command["n"].as_u64() > Some(taken));
        for command in lacking.cloned().collect::<Vec<_>>() {
            self.convey(command);
        }
    }

    /// Goes on with the session on another transport, with more in `connect`. What this one listens on stays as it is.
    pub(crate) fn go_on(&self, way: Way, mut connect: Value) -> Self {
        connect["session"] = self.secret().into();
        connect["ack"] = self.count.into();
        let mut link = Self::begin(self.port, way, connect);
        link.id = self.id;
        link.log.clone_from(&self.log);
        link
    }

    pub(crate) fn client(&self) -> &str {
        self.connected["client"].as_str().unwrap()
    }

    pub(crate) fn secret(&self) -> &str {
        self.connected["session"].as_str().unwrap()
    }

    /// Says a command. Its id is given.
    pub(crate) fn say(&mut self, command: Value) -> u64 {
        self.id += 1;
        let mut command = command;
        command["id"] = self.id.into();
        if self.way.has_session {
            self.n += 1;
            command["n"] = self.n.into();
            command["ack"] = self.count.into();
            self.log.push(command.clone());
        }
        self.convey(command);
        self.id
    }

    fn convey(&mut self, command: Value) {
        if self.way.transport == Transport::PollOnly {
            self.unsaid.push(command);
        } else {
            let status = self.say_bytes(&wire::encode(self.way.encoding, &[command]));
            assert!(matches!(status, None | Some(204)), "{status:?}");
        }
    }

    /// Says a message as it is. The status is that of `/emulation`, where it goes there.
    pub(crate) fn say_bytes(&mut self, message: &[u8]) -> Option<u16> {
        if self.carrier.send(self.way.encoding, message) {
            return None;
        }
        Some(self.emulate(message).status)
    }

    /// Says a message by `/emulation`.
    pub(crate) fn emulate(&mut self, message: &[u8]) -> Answer {
        let field = |name: &str| self.connected[name].as_str().unwrap_or_default().to_owned();
        let (session, node) = (field("session"), field("node"));
        let body = match self.way.encoding {
            Encoding::Json => {
                let data = String::from_utf8_lossy(message);
                json!({ "session": session, "node": node, "data": data }).to_string().into_bytes()
            }
            Encoding::Protobuf => {
                let data = message.to_vec().into();
                EmulationRequest { node, session, data, close: false }.encode_to_vec()
            }
        };
        let headers = [("content-type", content_type(self.way.encoding))];
        let beside = self.beside.get_or_insert_with(|| Http::connect(self.port));
        let answer = beside.ask("POST", "/emulation", &headers, &body);
        if answer.header("connection") == Some("close") {
            self.beside = None;
        }
        answer
    }

    /// Says a command and hears its reply. What else comes until then is kept for later.
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        let id = self.say(command);
        let mut before = VecDeque::new();
        let reply = loop {
            let heard = self.hear();
            if heard["id"] == id {
                break heard;
            }
            before.push_back(heard);
        };
        // They are counted again when they are looked at.
        self.count -= before.len() as u64;
        before.append(&mut self.waiting);
        self.waiting = before;
        reply
    }

    /// The next message.
    pub(crate) fn hear(&mut self) -> Value {
        self.next().unwrap_or_else(|end| panic!("it ended: {end:?}"))
    }

    /// The end, which is what comes next.
    pub(crate) fn end(&mut self) -> End {
        match self.next() {
            Ok(message) => panic!("it goes on: {message}"),
            Err(end) => end,
        }
    }

    /// The next push of this kind, which is what comes next.
    pub(crate) fn push(&mut self, kind: &str) -> Value {
        let mut message = self.hear();
        assert!(message["push"].get(kind).is_some(), "no {kind}: {message}");
        message["push"][kind].take()
    }

    /// The data of the publication that comes next.
    pub(crate) fn publication(&mut self) -> Value {
        self.push("pub")["data"].take()
    }

    pub(crate) fn next(&mut self) -> Result<Value, End> {
        loop {
            while let Some(message) = self.waiting.pop_front() {
                if message["push"].get("disconnect").is_some() {
                    self.farewell = Some(message["push"]["disconnect"].clone());
                } else if message.get("connect").is_some() {
                    return Ok(message);
                } else if message == json!({}) {
                    self.pings += 1;
                    if self.pings <= self.pongs {
                        self.say_bytes(&wire::encode(self.way.encoding, &[json!({})]));
                    }
                } else {
                    self.count += 1;
                    return Ok(message);
                }
            }
            self.listen()?;
        }
    }

    /// Lets a poll go to the server, where none is under way.
    pub(crate) fn poll(&mut self) {
        let Carrier::Poll(http) = &mut self.carrier else { return };
        if !std::mem::replace(&mut self.polls, true) {
            let commands = std::mem::take(&mut self.unsaid);
            let session = self.connected["session"].as_str().unwrap();
            let body = json!({ "session": session, "ack": self.count, "commands": commands }).to_string();
            http.send("POST", "/connection/poll", &[], body.as_bytes());
        }
    }

    fn listen(&mut self) -> Result<(), End> {
        if self.way.transport.is_poll() && self.farewell.is_some() {
            return Err(self.said(None));
        }
        self.poll();
        match self.carrier.receive(self.way.encoding) {
            Heard::Messages(mut messages) if self.way.transport.is_poll() => {
                self.polls = false;
                let answer = messages.remove(0);
                let connect = answer["replies"][0].get("connect");
                if connect.is_some_and(|connect| connect.get("resumed").is_none()) {
                    self.count = 0;
                }
                assert_eq!(answer["seq"], self.count, "{answer}");
                self.waiting.extend(answer["replies"].as_array().unwrap().iter().cloned());
            }
            Heard::Messages(messages) => self.waiting.extend(messages),
            Heard::End(close) => return Err(self.said(close)),
            Heard::Refused(status) => return Err(End::Refused(status)),
        }
        Ok(())
    }

    fn said(&self, close: Option<(u64, String)>) -> End {
        let said = self.farewell.as_ref().map(|push| {
            (push["code"].as_u64().unwrap(), push["reason"].as_str().unwrap_or_default().to_owned())
        });
        if let (Some(said), Some(close)) = (&said, &close) {
            assert_eq!(said, close, "the push and the Close frame say the same");
        }
        said.or(close).map_or(End::Silent, |(code, reason)| End::Said(code, reason))
    }

    /// Whether a poll is under way, or there is another carrier than polls.
    pub(crate) fn listens(&self) -> bool {
        !self.way.transport.is_poll() || self.polls
    }

    /// Closes a WebSocket with a code.
    pub(crate) fn close(&mut self, code: u16) {
        self.carrier.close(code);
    }
}
