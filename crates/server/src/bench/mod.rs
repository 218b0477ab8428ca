//! `antiphon bench`: how fast a server is, and what it costs, seen from outside.

mod connect;
mod echo;
mod fanout;
mod histogram;
mod idle;
mod live;
mod memory;
mod open;
mod report;
mod speaker;

use crate::cli::BenchCommand;
use crate::client::block_on;

/// Measures, and prints the report.
///
/// # Errors
/// When the measurement cannot be made, or (after the report) when the server did not do what it should.
pub(crate) fn run(command: &BenchCommand) -> Result<(), String> {
    block_on(async {
        match command {
            BenchCommand::Echo(args) => echo::run(args).await,
            BenchCommand::Fanout(args) => fanout::run(args).await,
            BenchCommand::Idle(args) => idle::run(args).await,
            BenchCommand::Connect(args) => connect::run(args).await,
        }
    })
}
