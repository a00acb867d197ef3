//! fabricscope: sees inside a GPU-training fabric from its mirrored switch ports.

use std::process::ExitCode;

use clap::Parser;
use fabricscope::args::{Cli, Command};
use fabricscope::failure::Failure;

fn main() -> ExitCode {
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
        Command::Topology(args) => fabricscope::topology::topology(args),
    }
}
