//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use analyzer::report::Severity;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dissect::Ends;

/// Where the dashboard listens unless told otherwise: this machine only.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

const AFTER_HELP: &str = "\
Exit status: 0 done, 1 findings as bad as --fail-on asks about, 2 the command could not do its work.

Examples:
  fabricscope replay mirror.pcap.zst
  fabricscope replay leaf0.pcap leaf1.pcap --topology fabric.toml --report out.json --fail-on critical
  tcpdump -i span0 -w - | fabricscope replay -
  fabricscope dissect mirror.pcap.zst --flow 10.0.0.1:40000-10.0.0.2:443
  fabricscope replay captures/ --store embedded --serve
  fabricscope run --interface span0 --topology fabric.toml --store embedded --serve=0.0.0.0:8080";

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
    /// Analyse what arrives on interfaces: mirror ports, taps.
    Run(RunArgs),
    /// Tell one flow's story: who opened it, what it is and how that is known, how it fared, which findings touch it.
    Dissect(DissectArgs),
    /// Say what this machine can do as a sensor, and what would mend what it can't.
    Doctor(DoctorArgs),
    /// Write a starting topology file from what captures show.
    Topology(TopologyArgs),
    /// Watch a simulated fabric in the dashboard: no switch, no capture needed.
    Demo(DemoArgs),
    /// Open the dashboard on what a store holds.
    Serve(ServeArgs),
    /// Fetch the library of the embedded ClickHouse (once, 178 MB, through npm; its checksum is verified).
    SetupStore,
}

/// What every analysis may be told.
#[derive(Clone, Debug, Args)]
pub struct AnalysisArgs {
    /// What is known of the fabric, TOML or JSON (docs/topology.md); without it every host seen gets an access link.
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,
    /// Signatures of your own that name flows, TOML (docs/signatures.md).
    #[arg(long, value_name = "FILE.toml")]
    pub signatures: Option<PathBuf>,
    /// Rules of your own over flows, in CEL: findings, tags or exclusion, TOML (docs/policy.md).
    #[arg(long, value_name = "FILE.toml")]
    pub policy: Option<PathBuf>,
    /// Only frames that match this BPF expression, as in tcpdump; it sees the outer headers.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Workers, each on a thread of its own, that share the frames; the results are those of one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub workers: u8,
    /// How often is judged and shown, in packet time. A link that falls silent is shown sooner in a live run.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = tick)]
    pub tick: Time,
    /// The mirrors copy one frame in so many: sequence logic is off, counts are of the sample.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub sampling: Option<u64>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "OUT.json")]
    pub report: Option<PathBuf>,
    /// Where the history goes; memory where absent and --serve is given, else none.
    #[arg(long, value_name = "none|memory|embedded|URL")]
    pub store: Option<String>,
    /// Folder of the embedded store.
    #[arg(long, value_name = "DIR")]
    pub store_dir: Option<PathBuf>,
    /// Open the dashboard, on this address, and keep it open when the input has ended.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_ADDRESS)]
    pub serve: Option<String>,
    /// Write the frames around each finding to this folder, as pcapng with comments.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Thresholds and what else can be configured, TOML (docs/findings.md lists them).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What kind of network is watched: where its thresholds start from. Overrides the configuration file's.
    #[arg(long, value_name = "lossless|lossy|lab")]
    pub preset: Option<String>,
    /// No progress bar and no text on standard output; JSON still, where --format json asks for it.
    #[arg(long, short)]
    pub quiet: bool,
    /// What to print on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Exit with status 1 when there are findings of this severity or worse.
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub fail_on: Option<FailOn>,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Capture files, folders of them, or - for standard input; several are one fabric, merged by time.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// As fast as the input can be read (max), or at its own speed times N (1, 0.5, 10).
    #[arg(long, value_name = "max|N", default_value = "max")]
    pub pace: Pace,
    /// What every analysis may be told.
    #[command(flatten)]
    pub analysis: AnalysisArgs,
}

/// `dissect`.
#[derive(Debug, Args)]
pub struct DissectArgs {
    /// Capture files, or folders of them; several are one fabric, merged by time.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub inputs: Vec<PathBuf>,
    /// The flow, its ends in either order: 10.0.0.1:40000-10.0.0.2:443, or [fd00::1]:40000-[fd00::2]:443; without it the
    /// busiest flows are listed.
    #[arg(long, value_name = "ADDRESS:PORT-ADDRESS:PORT")]
    pub flow: Option<Ends>,
    /// What is known of the fabric, TOML or JSON (docs/topology.md).
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,
    /// Signatures of your own that name flows, TOML (docs/signatures.md).
    #[arg(long, value_name = "FILE.toml")]
    pub signatures: Option<PathBuf>,
    /// Thresholds and what else can be configured, TOML (docs/findings.md lists them).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to print on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

impl DissectArgs {
    /// What the analysis behind it is told.
    pub fn analysis(&self) -> AnalysisArgs {
        AnalysisArgs {
            topology: self.topology.clone(),
            signatures: self.signatures.clone(),
            policy: None,
            filter: None,
            report: None,
            store: None,
            store_dir: None,
            serve: None,
            config: self.config.clone(),
            preset: None,
            workers: 1,
            tick: Time(Duration::from_millis(100)),
            sampling: None,
            evidence: None,
            quiet: true,
            format: self.format,
            fail_on: None,
        }
    }
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Interface that mirrored traffic arrives on; several are one fabric.
    #[arg(long = "interface", short, required = true, value_name = "IF", num_args = 1..)]
    pub interfaces: Vec<String>,
    /// Stop after this time: 30s, 10m, 8h; without it, at an interrupt or termination signal.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Time>,
    /// How frames are taken: the best mode that works, AF_XDP whatever speaks against it, or one by name.
    #[arg(long, value_enum, default_value_t = CaptureMode::Auto)]
    pub mode: CaptureMode,
    /// Look at no more than this of each frame, in bytes; 0 is all of it. Once for all, or for single interfaces by name.
    #[arg(long, value_name = "[IF=]BYTES")]
    pub snaplen: Vec<Snaplen>,
    /// Processors that the reading thread stays on (0-3,8); near: those of the interface's NUMA node; any.
    #[arg(long, value_name = "near|any|LIST", default_value = "near")]
    pub cpu: Processors,
    /// Write every frame to files in this folder, which rotate.
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    /// End a file at this size: 256M, 4G.
    #[arg(long, value_name = "SIZE", default_value = "256M", requires = "write")]
    pub write_size: Size,
    /// End a file after this much of the frames' time.
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "write")]
    pub write_time: Time,
    /// Room for all files; the oldest are removed.
    #[arg(long, value_name = "SIZE", default_value = "16G", requires = "write")]
    pub write_budget: Size,
    /// Keep all privileges and the right to write anywhere, instead of giving up what capturing does not need.
    #[arg(long)]
    pub keep_privileges: bool,
    /// Memory for frames that wait, per receive queue, in MiB.
    #[arg(long, value_name = "MiB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub ring: u32,
    /// What every analysis may be told.
    #[command(flatten)]
    pub analysis: AnalysisArgs,
}

/// Longest part of frames that is looked at: of an interface, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snaplen {
    /// Its name.
    pub interface: Option<String>,
    /// In bytes; 0 is all of it.
    pub bytes: u32,
}

impl FromStr for Snaplen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (interface, bytes) =
            text.rsplit_once('=').map_or((None, text), |(name, bytes)| (Some(name.to_owned()), bytes));
        let bytes = bytes.parse().map_err(|_| format!("`{bytes}` is no number of bytes"))?;
        Ok(Self { interface, bytes })
    }
}

/// Where the reading thread runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processors {
    /// On those of the interface's NUMA node.
    Near,
    /// Wherever the system puts it.
    Any,
    /// On these.
    These(Vec<usize>),
}

impl FromStr for Processors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "near" => Ok(Self::Near),
            "any" => Ok(Self::Any),
            list => capture::live::processors::parse(list)
                .map(Self::These)
                .ok_or_else(|| "expected near, any, or a list of processors such as 0-3,8".to_owned()),
        }
    }
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which scenario; --list tells them.
    #[arg(default_value = "demo", value_name = "SCENARIO")]
    pub scenario: String,
    /// Name the scenarios, one on a line, and what each shows.
    #[arg(long)]
    pub list: bool,
    /// End after so much simulated time: 30s, 10m; the scenario called demo goes on without end otherwise.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Time>,
    /// At the fabric's own speed times N, or as fast as it can be simulated (max).
    #[arg(long, value_name = "max|N", default_value = "1")]
    pub pace: Pace,
    /// Without the dashboard: the verdict at the end.
    #[arg(long, conflicts_with = "serve")]
    pub headless: bool,
    /// What every analysis may be told.
    #[command(flatten)]
    pub analysis: AnalysisArgs,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Interfaces to look at; without any, all that are not this machine's own loop.
    #[arg(value_name = "IF")]
    pub interfaces: Vec<String>,
}

/// How frames are taken from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CaptureMode {
    /// The best that works and takes nothing from anybody.
    Auto,
    /// AF_XDP in the driver.
    Xdp,
    /// AF_XDP behind the driver.
    XdpGeneric,
    /// TPACKET_V3.
    Packet,
    /// libpcap.
    Pcap,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The store to look into.
    #[arg(long, value_name = "embedded|URL", default_value = "embedded")]
    pub store: String,
    /// Folder of the embedded store.
    #[arg(long, value_name = "DIR")]
    pub store_dir: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
    pub listen: String,
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

/// A stretch of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit_s = match text.get(digits.len()..).unwrap_or_default() {
            "" | "s" => 1.0,
            "ms" => 1e-3,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            other => return Err(format!("no unit `{other}`: ms, s, m, h, d")),
        };
        let seconds = digits.parse::<f64>().map_err(|_| format!("`{text}` is no time such as 30s or 10m"))? * unit_s;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|why| why.to_string())
    }
}

/// A tick: bins of 1 ms lie inside it, and jobs are recognised over many.
fn tick(text: &str) -> Result<Time, String> {
    let time: Time = text.parse()?;
    let fits = (Duration::from_millis(1)..=Duration::from_secs(1)).contains(&time.0);
    if fits { Ok(time) } else { Err("from 1ms to 1s".to_owned()) }
}

/// A number of bytes as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match text.get(digits.len()..).unwrap_or_default() {
            "" => 0,
            "K" | "KiB" => 10,
            "M" | "MiB" => 20,
            "G" | "GiB" => 30,
            "T" | "TiB" => 40,
            other => return Err(format!("no unit `{other}`: K, M, G, T")),
        };
        let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no size such as 256M or 16G"))?;
        number.checked_mul(1 << shift).filter(|n| *n > 0).map(Self).ok_or_else(|| format!("`{text}` is out of range"))
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
    fn times_have_units() {
        assert_eq!("30s".parse(), Ok(Time(Duration::from_secs(30))));
        assert_eq!("1.5m".parse(), Ok(Time(Duration::from_secs(90))));
        assert_eq!("250ms".parse(), Ok(Time(Duration::from_millis(250))));
        for wrong in ["", "s", "-1s", "3 weeks", "nan", "1e99d"] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn snap_lengths_and_processors_are_read() {
        assert_eq!("96".parse(), Ok(Snaplen { interface: None, bytes: 96 }));
        assert_eq!("span0=128".parse(), Ok(Snaplen { interface: Some("span0".to_owned()), bytes: 128 }));
        assert!("span0=".parse::<Snaplen>().is_err());
        assert_eq!("0-1,4".parse(), Ok(Processors::These(vec![0, 1, 4])));
        assert_eq!("near".parse(), Ok(Processors::Near));
        assert!("fast".parse::<Processors>().is_err());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!("256M".parse(), Ok(Size(256 << 20)));
        assert_eq!("16GiB".parse(), Ok(Size(16 << 30)));
        for wrong in ["", "0", "M", "-1G", "1.5G", "3X", "99999999999T"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
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
