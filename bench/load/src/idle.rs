//! Idle: what a connection costs that has opened, sent one message, and fallen silent.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::echo::{Traders, burst};
use crate::open::{Target, open};
use crate::payload::Kind;
use crate::process::Process;
use crate::report::Stretch;

/// Opened first and not counted, so that what a server sets up once is not charged to its connections.
const FORERUNNERS: usize = 200;
/// Time for the server to put away what it only needed for the message.
const SETTLE: Duration = Duration::from_secs(1);

/// How many connections, and the message that each sends.
pub(crate) struct Idle {
    pub connections: usize,
    pub kind: Kind,
    pub size: usize,
}

impl Idle {
    pub(crate) fn run(&self, target: &Target, server: Process) -> Result<Map<String, Value>> {
        let message = || burst(target, self.kind, self.size, 1);
        let mut forerunners = Traders::new(open(target, 0, FORERUNNERS)?, message()?)?;
        forerunners.verify()?;
        sleep(SETTLE);

        let before = server.pss()?;
        let stretch = Stretch::begin(server)?;
        let conns = open(target, FORERUNNERS, self.connections)?;
        let (taken, cpu) = stretch.end()?;
        let stretch = Stretch::begin(server)?;
        let mut traders = Traders::new(conns, message()?)?;
        traders.verify()?;
        let (_, cpu_of_messages) = stretch.end()?;
        sleep(SETTLE);
        let after = server.pss()?;
        // Those that were kept quiet all the while must still be served.
        forerunners.verify()?;

        let each = self.connections as f64;
        let mut out = Map::new();
        out.insert("connections".into(), json!(self.connections));
        out.insert("bytes_per_connection".into(), json!((after as f64 - before as f64) / each));
        out.insert("pss_before".into(), json!(before));
        out.insert("pss_after".into(), json!(after));
        out.insert("handshakes_per_s".into(), json!(each / taken.as_secs_f64()));
        out.insert("cpu_us_per_handshake".into(), json!(cpu.as_secs_f64() * 1e6 / each));
        out.insert("cpu_us_per_first_message".into(), json!(cpu_of_messages.as_secs_f64() * 1e6 / each));
        Ok(out)
    }
}
