//! Fan-out: one publisher, many subscribers, each of which has to get every publication once and in order.

use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::client;
use crate::conn::Conn;
use crate::frame;
use crate::open::{Target, open};
use crate::poll::Poller;
use crate::process::Process;
use crate::report::{Latency, Stretch, traffic};

const BUFFER: usize = 64 << 10;
/// Publications that differ; more than may be outstanding, so that a number names one of them.
const NUMBERS: usize = 64;
/// Length of the mark that a publication begins with: `@0012@`.
const MARK: usize = 6;
/// Time for a server that subscribes a connection only after its handshake.
const SETTLE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// A message sent is a publication, and comes out as it went in.
    Plain,
    /// The client protocol of Centrifugo in JSON: connect, subscribe, publish.
    Client,
}

/// Who listens, and to what.
pub(crate) struct FanOut {
    pub subscribers: usize,
    pub size: usize,
    /// Publications that may be on their way at once.
    pub window: usize,
    pub protocol: Protocol,
    pub warm_up: Duration,
    pub duration: Duration,
}

impl FanOut {
    pub(crate) fn run(&self, target: &Target, server: Process) -> Result<Map<String, Value>> {
        ensure!(
            (1..=NUMBERS / 2).contains(&self.window),
            "a window of {}: 1 to {} is possible",
            self.window,
            NUMBERS / 2
        );
        ensure!(self.size > MARK, "publications of {} bytes: more than {MARK} are needed", self.size);
        let mut choir = Choir::new(open(target, 0, self.subscribers + 1)?, self)?;
        if self.protocol == Protocol::Client {
            choir.subscribe()?;
        }
        sleep(SETTLE);
        choir.poller.rested();
        // The first of them finds a subscriber that was not there in time.
        choir.publish(Duration::ZERO)?;
        choir.drain()?;
        choir.publish(self.warm_up)?;
        choir.forget();
        let stretch = Stretch::begin(server)?;
        choir.publish(self.duration)?;
        let (deliveries, bytes) = (choir.deliveries, choir.bytes);
        let mut out = traffic(deliveries, stretch.end()?, &choir.latency);
        choir.drain()?;
        out.insert("bytes_per_delivery".into(), json!(bytes as f64 / deliveries as f64));
        Ok(out)
    }
}

struct Publication {
    payload: Vec<u8>,
    frame: Vec<u8>,
    sent: Instant,
    /// Subscribers that have it.
    delivered: usize,
}

struct Choir {
    protocol: Protocol,
    poller: Poller,
    /// The last one publishes.
    conns: Vec<Conn>,
    /// What each subscriber has to get next.
    next: Vec<usize>,
    publications: Vec<Publication>,
    window: usize,
    /// Publications begun and, of those, at every subscriber.
    published: usize,
    complete: usize,
    deliveries: u64,
    bytes: u64,
    latency: Latency,
    buffer: Vec<u8>,
}

impl Choir {
    fn new(conns: Vec<Conn>, o: &FanOut) -> Result<Self> {
        let poller = Poller::new()?;
        for (token, conn) in conns.iter().enumerate() {
            poller.add(conn.stream(), token)?;
        }
        let publications = (0..NUMBERS)
            .map(|number| {
                let mut payload = format!("@{number:04}@").into_bytes();
                payload.extend(crate::payload::Kind::Text.make(o.size - MARK, number as u64));
                let frame = match o.protocol {
                    Protocol::Plain => frame::encode(frame::TEXT, false, &payload),
                    Protocol::Client => frame::encode(frame::TEXT, false, &client::publish(number, &payload)),
                };
                Publication { payload, frame, sent: Instant::now(), delivered: 0 }
            })
            .collect();
        Ok(Self {
            protocol: o.protocol,
            poller,
            next: vec![0; conns.len() - 1],
            conns,
            publications,
            window: o.window,
            published: 0,
            complete: 0,
            deliveries: 0,
            bytes: 0,
            latency: Latency::new()?,
            buffer: vec![0; BUFFER],
        })
    }

    /// Connects everyone in the client protocol and subscribes all but the publisher.
    fn subscribe(&mut self) -> Result<()> {
        let publisher = self.conns.len() - 1;
        for (nth, conn) in self.conns.iter_mut().enumerate() {
            let commands = if nth == publisher { client::CONNECT } else { client::CONNECT_AND_SUBSCRIBE };
            conn.send(frame::encode(frame::TEXT, false, commands).into())?;
        }
        let mut waiting = vec![true; self.conns.len()];
        let mut left = waiting.len();
        while left > 0 {
            let turn = self.poller.turn(&|| format!("{left} connections to be subscribed"))?;
            for ready in turn {
                let conn = &mut self.conns[ready.token];
                conn.flush()?;
                let reply = if ready.token == publisher { client::CONNECTED } else { client::SUBSCRIBED };
                conn.receive(&mut self.buffer, |message, _| {
                    let body = message.body.unwrap_or_default();
                    client::refuse_errors(body)?;
                    if client::contains(body, reply) && std::mem::take(&mut waiting[ready.token]) {
                        left -= 1;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Keeps the window full for `duration`, and fills it at least once.
    fn publish(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.fill_window()?;
            self.turn()?;
            if Instant::now() >= end {
                return Ok(());
            }
        }
    }

    fn drain(&mut self) -> Result<()> {
        while self.complete < self.published {
            self.turn()?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.deliveries = 0;
        self.bytes = 0;
        self.latency.reset();
    }

    /// All that may go now goes in one write.
    fn fill_window(&mut self) -> Result<()> {
        let now = Instant::now();
        let mut bytes = Vec::new();
        while self.published - self.complete < self.window {
            let publication = &mut self.publications[self.published % NUMBERS];
            publication.sent = now;
            publication.delivered = 0;
            bytes.extend_from_slice(&publication.frame);
            self.published += 1;
        }
        match self.conns.last_mut() {
            Some(publisher) if !bytes.is_empty() => publisher.send(Rc::from(bytes)),
            _ => Ok(()),
        }
    }

    fn turn(&mut self) -> Result<()> {
        let outstanding = self.published - self.complete;
        let subscribers = self.next.len();
        let what = || format!("{outstanding} publications to reach {subscribers} subscribers");
        for ready in self.poller.turn(&what)? {
            let conn = &mut self.conns[ready.token];
            if ready.writable {
                conn.flush()?;
            }
            if !ready.readable {
                continue;
            }
            let mut pinged = false;
            // The publisher has none: it hears itself on some servers, but that is not a delivery.
            let mut next = self.next.get_mut(ready.token);
            let first = next.as_deref().copied().unwrap_or_default();
            conn.receive(&mut self.buffer, |message, _| {
                let body = message.body.context("a publication that was not kept")?;
                if self.protocol == Protocol::Client {
                    client::refuse_errors(body)?;
                    pinged |= client::is_ping(body);
                }
                let Some(next) = next.as_deref_mut() else { return Ok(()) };
                self.bytes += body.len() as u64;
                *next = deliver(self.protocol, &self.publications, *next, body)?;
                Ok(())
            })?;
            for number in first..next.map_or(first, |next| *next) {
                self.deliveries += 1;
                let publication = &mut self.publications[number % NUMBERS];
                publication.delivered += 1;
                if publication.delivered == subscribers {
                    self.latency.record(publication.sent.elapsed());
                    self.complete += 1;
                }
            }
            if pinged {
                conn.send(frame::encode(frame::TEXT, false, client::PONG).into())?;
            }
        }
        Ok(())
    }
}

/// What comes after `body`, which has to hold publication `next` (in the client protocol: any number from there on).
fn deliver(protocol: Protocol, publications: &[Publication], mut next: usize, body: &[u8]) -> Result<usize> {
    if protocol == Protocol::Plain {
        ensure!(body == publications[next % NUMBERS].payload, out_of_order(body, next));
        return Ok(next + 1);
    }
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&byte| byte == b'@') {
        let wanted = &publications[next % NUMBERS].payload;
        ensure!(rest[at..].starts_with(wanted), out_of_order(&rest[at..], next));
        rest = &rest[at + wanted.len()..];
        next += 1;
    }
    Ok(next)
}

fn out_of_order(got: &[u8], wanted: usize) -> String {
    let start = String::from_utf8_lossy(&got[..got.len().min(MARK)]);
    let wanted = wanted % NUMBERS;
    format!("a subscriber got {start:?} and not publication {wanted:04}: lost, twice, or out of order")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publications() -> Vec<Publication> {
        let one = |number| Publication {
            payload: format!("@{number:04}@words").into_bytes(),
            frame: Vec::new(),
            sent: Instant::now(),
            delivered: 0,
        };
        (0..NUMBERS).map(one).collect()
    }

    #[test]
    fn plain_publications_come_once_and_in_order() {
        let all = publications();
        assert_eq!(deliver(Protocol::Plain, &all, 66, b"@0002@words").expect("the right one"), 67);
        for wrong in [&b"@0003@words"[..], b"@0001@words", b"@0002@word", b""] {
            assert!(deliver(Protocol::Plain, &all, 66, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn several_pushes_may_share_a_message() {
        let all = publications();
        let body = b"{\"push\":\"@0000@words\"}\n{}\n{\"push\":\"@0001@words\"}";
        assert_eq!(deliver(Protocol::Client, &all, 0, body).expect("both"), 2);
        assert!(deliver(Protocol::Client, &all, 1, body).is_err());
        assert_eq!(deliver(Protocol::Client, &all, 1, b"{}").expect("no publication"), 1);
    }
}
