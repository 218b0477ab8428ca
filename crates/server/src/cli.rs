//! The command line.

mod tools;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use tools::{
    AgentArgs, BenchArgs, BenchCommand, BenchConnectArgs, BenchEchoArgs, BenchFanoutArgs, BenchIdleArgs,
    ConnectArgs, PubArgs, ServerArgs, SubArgs, TokenArgs, WayArgs,
};

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
    /// Publish to a channel through the server API, and print each publication's position.
    Pub(PubArgs),
    /// Report what this machine does to a channel: processor, memory, network, disk.
    Agent(AgentArgs),
    /// Subscribe to channels and print what is published, one JSON object a line.
    Sub(SubArgs),
    /// Print a token for a client, signed with the configured key.
    Token(TokenArgs),
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
    /// Speak TLS with a certificate that is made at the start, for localhost only: browsers warn of it.
    #[arg(long)]
    pub(crate) tls_dev: bool,
    /// Worker threads; by default one for each core.
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// Listen on other than loopback addresses in development mode, where everybody may do everything.
    #[arg(long)]
    pub(crate) insecure: bool,
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
