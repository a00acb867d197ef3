//! fabricscope: sees inside a GPU-training fabric from its mirrored switch ports.

use std::process::ExitCode;

use clap::Parser;
use fabricscope::args::{Cli, Command};
use fabricscope::failure::Failure;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // The embedded store's server is this program as a child of itself; nothing of it is for users.
    if arguments.next().is_some_and(|a| a == store::embedded::SUBCOMMAND) {
        store::embedded::child_main(arguments);
    }
    match command(&Cli::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            fabricscope::output::warn(failure);
            ExitCode::from(2)
        }
    }
}

fn command(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Replay(args) => fabricscope::replay::replay(args),
        Command::Run(args) => fabricscope::run::run(args),
        Command::Dissect(args) => fabricscope::dissect::dissect(args),
        Command::Doctor(args) => fabricscope::doctor::doctor(args),
        Command::Topology(args) => fabricscope::topology::topology(args),
        Command::Demo(args) => fabricscope::demo::demo(args),
        Command::Serve(args) => fabricscope::serve::serve(args),
        Command::SetupStore => fabricscope::serve::setup_store(),
    }
}
