//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use antiphon_hub::Span;

/// Real-time messaging for the web in one binary.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What to log: error, warn, info, debug, trace, or target=level pairs with commas between. Without it, what the configuration
    /// says, or info.
    #[arg(long, global = true, env = "ANTIPHON_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server; with no configuration file in development mode.
    Serve(ServeArgs),
    /// Talk to a WebSocket server: lines of standard input go out, messages come to standard output.
    Connect(ConnectArgs),
    /// Measure a server.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Check a configuration file, or print the defaults or the schema.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version.
    Version,
    /// Print the completions for a shell.
    Completions {
        /// The shell to complete in.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file; without one the server runs in development mode.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, such as 127.0.0.1:8000; may be given several times. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Worker threads; by default one for each core.
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// Listen on other than loopback addresses in development mode, where everybody may do everything.
    #[arg(long)]
    pub(crate) insecure: bool,
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
    /// Proxy to connect through: http://HOST:PORT or socks5://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// File with PEM certificates of authorities to trust besides the platform's.
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Trust any certificate. Anybody on the way can read and change what is sent.
    #[arg(long)]
    pub(crate) insecure_tls: bool,
    /// Send each line as a binary message.
    #[arg(long)]
    pub(crate) binary: bool,
    /// Close after the first message has come.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Send messages to an echo endpoint and time their return.
    Echo(BenchEchoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BenchEchoArgs {
    /// The echo endpoint: ws://HOST:PORT/echo
    pub(crate) url: String,
    /// Connections.
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
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
    /// Print one JSON object for machines, and no live line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a file: unknown keys, values of a wrong type, and what contradicts itself.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print every setting with its default, as a file to start from.
    Default,
    /// Print the JSON Schema of a configuration file, for editors.
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
