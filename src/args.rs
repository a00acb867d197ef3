//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use analyzer::report::Severity;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Where the dashboard listens unless told otherwise: this machine only.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

const AFTER_HELP: &str = "\
Exit status: 0 done, 1 findings as bad as --fail-on asks about, 2 the command could not do its work.

Examples:
  fabricscope replay mirror.pcap.zst
  fabricscope replay leaf0.pcap leaf1.pcap --topology fabric.toml --report out.json --fail-on critical
  tcpdump -i span0 -w - | fabricscope replay -
  fabricscope replay captures/ --store embedded --serve";

/// Sees inside a GPU-training fabric from its mirrored switch ports.
#[derive(Debug, Parser)]
#[command(name = "fabricscope", version, about, after_help = AFTER_HELP, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyse capture files: which links are congested or faulty, and why.
    Replay(ReplayArgs),
    /// Write a starting topology file from what captures show.
    Topology(TopologyArgs),
}

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Capture files, folders of them, or - for standard input; several are one fabric, merged by time.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// What is known of the fabric, TOML or JSON; without it every host seen gets an access link.
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,
    /// Only frames that match this BPF expression, as in tcpdump; it sees the outer headers.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "OUT.json")]
    pub report: Option<PathBuf>,
    /// Where the history goes: none, memory; the default is memory with --serve, else none.
    #[arg(long, value_name = "none|memory")]
    pub store: Option<String>,
    /// Open the dashboard, on this address, and keep it open when the input has ended.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_ADDRESS)]
    pub serve: Option<String>,
    /// As fast as the input can be read (max), or at its own speed times N (1, 0.5, 10).
    #[arg(long, value_name = "max|N", default_value = "max")]
    pub pace: Pace,
    /// No progress bar and no text on standard output.
    #[arg(long, short)]
    pub quiet: bool,
    /// What to print on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Exit with status 1 when there are findings of this severity or worse.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub fail_on: Option<FailOn>,
}

/// `topology`.
#[derive(Debug, Args)]
pub struct TopologyArgs {
    /// Capture files, folders of them, or - for standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Write here instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: the verdict, a table of links, the findings.
    Text,
    /// The report.
    Json,
}

/// Which findings make the exit status 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Info,
    /// Warnings and worse.
    Warning,
    /// Critical ones.
    Critical,
}

impl From<FailOn> for Severity {
    fn from(from: FailOn) -> Self {
        match from {
            FailOn::Info => Self::Info,
            FailOn::Warning => Self::Warning,
            FailOn::Critical => Self::Critical,
        }
    }
}

/// How fast packet time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the input can be read.
    Max,
    /// The capture's own speed times this.
    Times(f64),
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches('x').parse::<f64>() {
            Ok(times) if (0.001..=1_000_000.0).contains(&times) => Ok(Self::Times(times)),
            _ => Err("expected max, or a number from 0.001 to 1000000 (1 is the capture's own speed)".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn pace_is_max_or_a_positive_number() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("2.5".parse(), Ok(Pace::Times(2.5)));
        assert_eq!("10x".parse(), Ok(Pace::Times(10.0)));
        for wrong in ["", "0", "-1", "nan", "inf", "fast"] {
            assert!(wrong.parse::<Pace>().is_err(), "{wrong}");
        }
    }
}
