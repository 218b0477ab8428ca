//! The `antiphon` binary: the server, and the tools to talk to one.

mod admin;
mod agent;
mod api;
mod assets;
mod backend;
mod bench;
mod cli;
mod client;
mod config;
mod http;
mod log;
mod metrics;
mod resident;
mod serve;
mod socket;
mod stream;
mod tls;
mod trace;

use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, ConfigCommand};
use config::server::Log;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = cli.log.as_deref();
    let logging = match &cli.command {
        // How it logs stands in its configuration.
        Command::Serve(_) => Ok(()),
        _ => log::start(filter, &Log::default(), None),
    };
    let outcome = logging.and_then(|()| run(cli.command, filter));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "antiphon: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, log: Option<&str>) -> Result<(), String> {
    match command {
        Command::Serve(args) => serve::run(args, log),
        Command::Connect(args) => client::connect(&args),
        Command::Pub(args) => client::publish(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Sub(args) => client::subscribe(&args),
        Command::Token(args) => client::token(&args).and_then(|token| print(token.as_bytes())),
        Command::Bench(command) => bench::run(&command),
        Command::Config(ConfigCommand::Default) => print(config::default_toml()?.as_bytes()),
        Command::Config(ConfigCommand::Schema) => print(format!("{:#}\n", config::json_schema()).as_bytes()),
        Command::Config(ConfigCommand::Check { file }) => {
            let name = file.display().to_string();
            let text = fs::read_to_string(&file).map_err(|e| format!("{name} cannot be read: {e}"))?;
            config::check(&name, &text).map_err(|e| e.to_string())?;
            print(format!("{name} is good\n").as_bytes())
        }
        Command::Version => print(concat!("antiphon ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "antiphon", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(|e| e.to_string())?;
            print(&page)
        }
    }
}

/// Writes to standard output. A reader that has gone away (`antiphon man | head`) is no failure.
fn print(bytes: &[u8]) -> Result<(), String> {
    match io::stdout().write_all(bytes) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}
