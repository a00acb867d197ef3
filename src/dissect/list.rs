//! The flows to choose from: what `fabricscope dissect` shows where none is asked for.

use std::io::{self, Write};

use analyzer::report::{Flow, Report};

use super::ends::Ends;
use crate::args::Format;
use crate::show::style::{Ink, Style, clean};
use crate::show::units;

/// Conversations listed for people; the rest is counted.
const LISTED_MAX: usize = 40;

/// The conversations of a report, the busiest first, as `--flow` takes them.
fn conversations(report: &Report) -> Vec<(Ends, &Flow)> {
    let mut all: Vec<(Ends, &Flow)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for flow in report.flows.iter().filter(|f| f.src.parse::<std::net::IpAddr>().is_ok()) {
        let mut ends = [(&flow.src, flow.sport), (&flow.dst, flow.dport)];
        ends.sort_unstable();
        if seen.insert(ends) {
            all.push((Ends::of(flow), flow));
        }
    }
    all
}

/// Prints them: a line each, or an array of the flows as `--flow` takes them.
pub fn write(report: &Report, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let all = conversations(report);
    if matches!(format, Format::Json) {
        let list: Vec<String> = all.iter().map(|(ends, _)| ends.to_string()).collect();
        return writeln!(out, "{}", serde_json::json!({ "flows": list }));
    }
    for (ends, flow) in all.iter().take(LISTED_MAX) {
        let name = flow.app.as_deref().unwrap_or("unknown");
        let what = format!("{name:14} {:>10}", units::bytes(flow.bytes));
        let host = flow.host_name.as_deref().unwrap_or_default();
        writeln!(out, "{} {what}  {}", style.paint(Ink::Strong, &format!("{:48}", ends.to_string())), clean(host))?;
    }
    let more = all.len().saturating_sub(LISTED_MAX) as u64;
    if more > 0 {
        writeln!(out, "{}", style.paint(Ink::Dim, &format!("and {}", units::counted(more, "more flow"))))?;
    }
    writeln!(out, "{}", style.paint(Ink::Dim, "--flow with one of these tells its story"))
}
