//! `fabricscope dissect`: the story of one flow: who opened it, what it is and how that is known, how it fared.

mod ends;
mod list;
mod story;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use capture::FileOptions;
use dashboard::Mode;
use store::Fullness;

use crate::analysis::{Task, analyse};
use crate::args::{DissectArgs, Format, Pace};
use crate::failure::Failure;
use crate::inputs::expand;
use crate::look::look;
use crate::output::print;
use crate::show::style::Style;
use ends::Handshakes;

pub use ends::{End, Ends};

/// Runs the command.
pub fn dissect(args: &DissectArgs) -> Result<ExitCode, Failure> {
    let paths = expand(&args.inputs)?;
    if paths.iter().any(|p| p.as_os_str() == "-") {
        let to_do = "write it into a file first";
        return Err(Failure::new("cannot dissect standard input", "it is read twice", to_do));
    }
    let open =
        || capture::open(&paths, &FileOptions::default()).map_err(|why| Failure::new("cannot read the input", why, ""));
    let task = Task {
        source: open()?,
        pace: Pace::Max,
        topology: None,
        natures: look(&paths),
        mode: Mode::Replay,
        sources: Vec::new(),
        run: String::new(),
        fullness: Fullness::Block,
        write: None,
        confined: None,
    };
    let report = analyse(&args.analysis(), task, &AtomicBool::new(false))?;
    let Some(flow) = args.flow else {
        print(|out| list::write(&report, args.format, Style::of_stdout(), out))?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut handshakes = Handshakes::new(flow);
    handshakes.watch(open()?.as_mut());
    let Some(story) = story::tell(&report, flow, &handshakes) else {
        return Err(Failure::new(format!("no flow {flow}"), absent(&report, flow), hint(&report)));
    };
    match args.format {
        Format::Text => print(|out| story::text(&story, Style::of_stdout(), out))?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&story).map_err(|why| {
                let to_do = "this is a defect of fabricscope: please report it";
                Failure::new("cannot write the story as JSON", why, to_do)
            })?;
            print(|out| writeln!(out, "{text}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Why it is not there.
fn absent(report: &analyzer::report::Report, ends: Ends) -> String {
    let of = |end: End| report.flows.iter().any(|f| f.src == end.addr.to_string() || f.dst == end.addr.to_string());
    let unseen: Vec<String> = [ends.a, ends.b].into_iter().filter(|e| !of(*e)).map(|e| e.addr.to_string()).collect();
    match unseen.as_slice() {
        [] => "both hosts are in the capture, but no flow between these ports".to_owned(),
        hosts => format!("{} not in the capture", hosts.join(" and ")),
    }
}

/// The busiest flows, to choose from.
fn hint(report: &analyzer::report::Report) -> String {
    let some: Vec<String> = report.flows.iter().take(3).map(|f| Ends::of(f).to_string()).collect();
    if some.is_empty() { "no flow was read at all".to_owned() } else { format!("try {}", some.join(" or ")) }
}
