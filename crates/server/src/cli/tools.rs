//! The tools that talk to a server: `connect`, `pub`, `sub`, `token`, `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use antiphon_hub::Span;

use crate::agent;

/// The way to a server: through whom, and whom to trust.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WayArgs {
    /// Proxy to connect through: http://HOST:PORT or socks5://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// File with PEM certificates of authorities to trust besides the platform's.
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Trust any certificate. Anybody on the way can read and change what is sent.
    #[arg(long)]
    pub(crate) insecure_tls: bool,
}

/// A server's API: where it is, and the key to it.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Where the server is: `http://HOST[:PORT]` or `https://…`, with a path if the API is below one.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// Key of the server API.
    #[arg(long, env = "ANTIPHON_HTTP_API__KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Configuration file to take the key from, where it is not given otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Where to connect: `ws://HOST[:PORT]/PATH` or `wss://…`
    pub(crate) url: String,
    /// Header to send with the request, as "Name: value"; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// Subprotocol to offer, in order of preference; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Offer permessage-deflate.
    #[arg(long)]
    pub(crate) deflate: bool,
    /// Send a ping this often, and print the round-trip time.
    #[arg(long, value_name = "INTERVAL")]
    pub(crate) ping: Option<Span>,
    #[command(flatten)]
    pub(crate) way: WayArgs,
    /// Send each line as a binary message.
    #[arg(long)]
    pub(crate) binary: bool,
    /// Close after the first message has come.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PubArgs {
    /// The channel to publish to.
    pub(crate) channel: String,
    /// What to publish: a JSON value, or text that becomes a JSON string. Without it, each line of standard input is published.
    #[arg(allow_negative_numbers = true)]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Label of the publication, as NAME=VALUE; may be given several times.
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Publish only once under this key. With standard input, the key of line N is KEY-N.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Keep the publication out of the channel's history.
    #[arg(long)]
    pub(crate) skip_history: bool,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no \"=\" in it; write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The channel to publish to.
    #[arg(long, default_value = agent::CHANNEL)]
    pub(crate) channel: String,
    /// What the agent is called; by default as this machine is.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How often to report.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = pace)]
    pub(crate) interval: Span,
    /// End after so many reports, with status 0.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

fn pace(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0 < agent::SHORTEST {
        return Err(format!(
            "{span} is shorter than {} ms, the shortest interval",
            agent::SHORTEST.as_millis()
        ));
    }
    Ok(span)
}

#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    /// The channels to subscribe to.
    #[arg(required = true, value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// Where the server speaks its client protocol.
    #[arg(long, default_value = "ws://127.0.0.1:8000/connection/websocket")]
    pub(crate) url: String,
    /// Token of the connection.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Token of the subscriptions, for channels that need one.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) sub_token: Option<String>,
    /// Begin with what was published after this offset.
    #[arg(long, value_name = "OFFSET", conflicts_with = "history")]
    pub(crate) since: Option<u64>,
    /// The epoch that the offset belongs to: with it, the offset of another stream is noticed.
    #[arg(long, requires = "since")]
    pub(crate) epoch: Option<String>,
    /// Begin with the last so many publications.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pub(crate) history: Option<u32>,
    /// End after so many publications, with status 0. A connection that is lost before is not opened again.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// The same as --count 1.
    #[arg(long, conflicts_with = "count")]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The user's id; empty for an anonymous user.
    #[arg(long, value_name = "ID")]
    pub(crate) user: String,
    /// Make a subscription token for this channel; may be given several times, and `*` stands for any characters but the
    /// boundary of namespaces. Without it, the token is a connection's.
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// How long the token is good; 0s for ever.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) ttl: Span,
    /// What others see of the user, as JSON.
    #[arg(long, value_name = "JSON")]
    pub(crate) info: Option<String>,
    /// The connection that may subscribe with the token; any of the user's where it is not given.
    #[arg(long, value_name = "ID", requires = "channels")]
    pub(crate) client: Option<String>,
    /// Configuration file of the server. The environment's settings (`ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY`) lie over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Secret to sign with (HMAC), in place of the configured one.
    #[arg(long)]
    pub(crate) secret: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Send messages to an echo endpoint and time their return.
    Echo(BenchEchoArgs),
    /// Publish to one channel and time the way to all its subscribers.
    Fanout(BenchFanoutArgs),
    /// Hold connections open that say nothing, and tell how many stay and what they cost.
    Idle(BenchIdleArgs),
    /// Open and close connections, and time their opening.
    Connect(BenchConnectArgs),
}

/// What every measurement is told.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The endpoint: `ws://HOST[:PORT]/PATH` or `wss://…`
    pub(crate) url: String,
    /// Print one JSON object for machines, and no live line.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) way: WayArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BenchEchoArgs {
    #[command(flatten)]
    pub(crate) common: BenchArgs,
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Bytes in a message.
    #[arg(short, long, value_name = "BYTES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(0..=16_777_216))]
    pub(crate) size: u32,
    /// Messages that a connection has under way at once.
    #[arg(short = 'p', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) depth: u32,
    /// How long to measure.
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    pub(crate) duration: Span,
    /// Send text messages rather than binary ones.
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchFanoutArgs {
    #[command(flatten)]
    pub(crate) common: BenchArgs,
    /// Subscribers.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) subscribers: u32,
    /// The channel, in the client protocol.
    #[arg(long, default_value = "bench")]
    pub(crate) channel: String,
    /// Token of the connections, in the client protocol.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Speak no protocol: the endpoint is a channel's `/raw/CHANNEL`.
    #[arg(long, conflicts_with_all = ["channel", "token"])]
    pub(crate) raw: bool,
    /// Bytes in a publication.
    #[arg(short, long, value_name = "BYTES", default_value_t = 128, value_parser = clap::value_parser!(u32).range(32..=16_777_216))]
    pub(crate) size: u32,
    /// Publications that are under way at once.
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) window: u32,
    /// How long to measure.
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    pub(crate) duration: Span,
}

#[derive(Debug, Args)]
pub(crate) struct BenchIdleArgs {
    #[command(flatten)]
    pub(crate) common: BenchArgs,
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// How long to hold them.
    #[arg(short, long, value_name = "TIME", default_value = "30s")]
    pub(crate) duration: Span,
    /// Subscribe to nothing. Otherwise each connection has a channel of its own.
    #[arg(long)]
    pub(crate) no_subscribe: bool,
    /// What the names of the channels begin with.
    #[arg(long, value_name = "PREFIX", default_value = "idle-", conflicts_with = "no_subscribe")]
    pub(crate) channel: String,
    /// Token of the connections.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// The server's process on this machine: its memory is measured.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchConnectArgs {
    #[command(flatten)]
    pub(crate) common: BenchArgs,
    /// Connections that are open or being opened at once.
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// How long to measure.
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    pub(crate) duration: Span,
    /// Token of the connections.
    #[arg(long)]
    pub(crate) token: Option<String>,
}
