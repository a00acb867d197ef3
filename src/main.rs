//! fabricscope: sees inside a GPU-training fabric from its mirrored switch ports.

use clap::Parser;
use fabricscope::args::Cli;

fn main() {
    let _cli = Cli::parse();
}
