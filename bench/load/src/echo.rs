//! Echo: every connection sends a burst, waits for all its replies, and sends the next.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::conn::{Burst, Conn};
use crate::frame::FrameReader;
use crate::open::{Target, open};
use crate::payload::Kind;
use crate::poll::Poller;
use crate::process::Process;
use crate::report::{Latency, Stretch, traffic};

const BUFFER: usize = 1 << 20;

/// What is sent, and for how long.
pub(crate) struct Echo {
    pub connections: usize,
    pub kind: Kind,
    pub size: usize,
    /// Messages in a burst.
    pub depth: usize,
    pub warm_up: Duration,
    pub duration: Duration,
}

impl Echo {
    pub(crate) fn run(&self, target: &Target, server: Process) -> Result<Map<String, Value>> {
        let conns = open(target, 0, self.connections)?;
        let mut traders = Traders::new(conns, burst(target, self.kind, self.size, self.depth)?)?;
        traders.verify()?;
        traders.trade(self.warm_up)?;
        traders.forget();
        let stretch = Stretch::begin(server)?;
        traders.trade(self.duration)?;
        let mut out = traffic(traders.replies, stretch.end()?, &traders.latency);
        traders.drain()?;
        traders.verify()?;
        if let Some((payload, wire)) = traders.burst.compression() {
            out.insert("compression_ratio".into(), json!(payload as f64 / wire as f64));
        }
        Ok(out)
    }
}

/// `depth` different messages in one write.
pub(crate) fn burst(target: &Target, kind: Kind, size: usize, depth: usize) -> Result<Burst> {
    let payloads = (0..depth).map(|nth| kind.make(size, nth as u64)).collect();
    let burst = Burst::new(kind.opcode(), payloads, target.deflate)?;
    Ok(if target.raw { burst.unchanged() } else { burst })
}

struct Trader {
    conn: Conn,
    /// Replies to the present burst so far; all of them means at rest.
    replies: usize,
    since: Instant,
}

/// Connections that send the same burst over and over.
pub(crate) struct Traders {
    poller: Poller,
    traders: Vec<Trader>,
    burst: Burst,
    buffer: Vec<u8>,
    at_work: usize,
    replies: u64,
    latency: Latency,
}

impl Traders {
    pub(crate) fn new(conns: Vec<Conn>, burst: Burst) -> Result<Self> {
        let poller = Poller::new()?;
        let mut traders = Vec::with_capacity(conns.len());
        for (token, mut conn) in conns.into_iter().enumerate() {
            conn.reader = FrameReader::new(burst.masked);
            poller.add(conn.stream(), token)?;
            traders.push(Trader { conn, replies: burst.len(), since: Instant::now() });
        }
        Ok(Self {
            poller,
            traders,
            burst,
            buffer: vec![0; BUFFER],
            at_work: 0,
            replies: 0,
            latency: Latency::new()?,
        })
    }

    /// One burst on every connection with the contents of every reply compared.
    pub(crate) fn verify(&mut self) -> Result<()> {
        self.start(true)?;
        self.drain()
    }

    /// Burst upon burst on every connection for `duration`; the last ones are left under way.
    fn trade(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        self.start(false)?;
        while Instant::now() < end {
            self.turn(true)?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<()> {
        while self.at_work > 0 {
            self.turn(false)?;
        }
        Ok(())
    }

    /// Starts over with the count and the latencies.
    fn forget(&mut self) {
        self.replies = 0;
        self.latency.reset();
    }

    /// Sends a burst on every connection at rest.
    fn start(&mut self, keep: bool) -> Result<()> {
        self.poller.rested();
        for trader in self.traders.iter_mut().filter(|trader| trader.replies == self.burst.len()) {
            // A compressed reply can only be checked as a whole.
            trader.conn.reader.keep = keep || trader.conn.inflater.is_some();
            trader.replies = 0;
            trader.since = Instant::now();
            self.at_work += 1;
            trader.conn.send(self.burst.bytes.clone())?;
        }
        Ok(())
    }

    fn turn(&mut self, again: bool) -> Result<()> {
        let Self { poller, traders, burst, buffer, at_work, replies, latency } = self;
        let turn = poller.turn(&|| format!("replies on {at_work} connections"))?;
        for ready in turn {
            let trader = &mut traders[ready.token];
            if ready.writable {
                trader.conn.flush()?;
            }
            if !ready.readable {
                continue;
            }
            let before = trader.replies;
            let so_far = &mut trader.replies;
            trader.conn.receive(buffer, |reply, inflater| {
                burst.check(*so_far, &reply, inflater)?;
                *so_far += 1;
                Ok(())
            })?;
            *replies += (trader.replies - before) as u64;
            if before < burst.len() && trader.replies == burst.len() {
                let now = Instant::now();
                latency.record(now - trader.since);
                if again {
                    trader.replies = 0;
                    trader.since = now;
                    trader.conn.send(burst.bytes.clone())?;
                } else {
                    *at_work -= 1;
                }
            }
        }
        Ok(())
    }
}
