//! `bench-load`: one thread that loads a WebSocket server and reports what that cost the server, as JSON.
//!
//! It spins and never sleeps, masks its frames ahead of time, and compares what comes back with what has to, so that
//! neither its own work nor a wrong answer makes a server look better. Give it a processor of its own.

mod client;
mod conn;
mod deflate;
mod echo;
mod fanout;
mod frame;
mod idle;
mod open;
mod payload;
mod poll;
mod process;
mod report;

use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Map, Value};

use crate::echo::Echo;
use crate::fanout::{FanOut, Protocol};
use crate::idle::Idle;
use crate::open::Target;
use crate::payload::Kind;
use crate::process::Process;

#[derive(Parser)]
#[command(about = "Loads a WebSocket server and reports its cost as JSON", version)]
struct Cli {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Bursts on every connection, each sent when all replies to the one before have come
    Echo {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        time: Time,
        #[arg(long, default_value_t = 100)]
        connections: usize,
        /// Bytes of payload in a message
        #[arg(long, default_value_t = 32)]
        size: usize,
        /// Messages in a burst
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, value_enum, default_value_t = Kind::Binary)]
        kind: Kind,
    },
    /// One publisher, many subscribers
    Fanout {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        time: Time,
        #[arg(long, default_value_t = 1000)]
        subscribers: usize,
        /// Bytes of data in a publication
        #[arg(long, default_value_t = 128)]
        size: usize,
        /// Publications outstanding
        #[arg(long, default_value_t = 1)]
        window: usize,
        #[arg(long, value_enum, default_value_t = Protocol::Plain)]
        protocol: Protocol,
    },
    /// Connections that send one message each and stay: memory, and the cost of a handshake
    Idle {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        #[arg(long, default_value_t = 128)]
        size: usize,
        #[arg(long, value_enum, default_value_t = Kind::Text)]
        kind: Kind,
    },
}

#[derive(Args)]
struct Server {
    /// Where the server listens
    #[arg(long, value_name = "IP:PORT")]
    addr: SocketAddrV4,
    /// Its process, to read what it spends
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value = "/")]
    path: String,
    /// No handshake: the server is the raw floor
    #[arg(long)]
    raw: bool,
    /// Offer permessage-deflate and send messages compressed ahead of time
    #[arg(long)]
    deflate: bool,
    /// Handshakes under way at once
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
}

#[derive(Args)]
struct Time {
    /// Seconds that count
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
}

impl Server {
    fn split(self) -> (Target, Process) {
        let Self { addr, pid, path, raw, deflate, in_flight } = self;
        (Target { addr, path, raw, deflate, in_flight }, Process(pid))
    }
}

fn run(mode: Mode) -> Result<Map<String, Value>> {
    let open_files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: open_files.maximum, ..open_files })?;
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds);
    match mode {
        Mode::Echo { server, time, connections, size, depth, kind } => {
            let (target, process) = server.split();
            let (warm_up, duration) = (seconds(time.warm_up)?, seconds(time.seconds)?);
            Echo { connections, kind, size, depth, warm_up, duration }.run(&target, process)
        }
        Mode::Fanout { server, time, subscribers, size, window, protocol } => {
            let (target, process) = server.split();
            let (warm_up, duration) = (seconds(time.warm_up)?, seconds(time.seconds)?);
            FanOut { subscribers, size, window, protocol, warm_up, duration }.run(&target, process)
        }
        Mode::Idle { server, connections, size, kind } => {
            let (target, process) = server.split();
            Idle { connections, kind, size }.run(&target, process)
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().mode) {
        Ok(figures) => {
            println!("{}", Value::Object(figures));
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("bench-load: {e:#}");
            ExitCode::FAILURE
        }
    }
}
