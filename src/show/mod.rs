//! What a person reads in the terminal: the verdict first, then the links, then the findings with their evidence.

use std::io::{self, Write};

use analyzer::report::{Capture, File, Report, Severity};
use analyzer::verdict::{Blame, blame, heaviest, pays, touched};

use self::style::{Ink, Style, clean, wrap};

pub mod clock;
pub mod findings;
pub mod jobs;
pub mod links;
mod strangers;
pub mod style;
pub mod units;

/// Reasons of refusal shown by name; the rest is counted.
const REASONS_MAX: usize = 6;
/// Files listed by name; the rest is counted.
const FILES_MAX: usize = 8;

/// Jobs named in one sentence; the rest is counted.
const JOBS_MAX: usize = 4;

/// Prints a report.
pub fn text(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    headline(report, style, out)?;
    captured(&report.capture, style, out)?;
    remarks(&strangers::notes(report), style, out)?;
    writeln!(out, "\n{}", style.paint(Ink::Strong, "LINKS"))?;
    links::table(report, style, out)?;
    if !report.jobs.is_empty() {
        writeln!(out, "\n{}", style.paint(Ink::Strong, "JOBS"))?;
        jobs::table(&report.jobs, &pays(&report.findings), style, out)?;
    }
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.paint(Ink::Strong, "FINDINGS"))?;
    findings::list(&report.findings, &report.links, style, out)
}

/// How many findings are of this severity.
fn number_of(report: &Report, severity: Severity) -> u64 {
    report.findings.iter().filter(|f| f.severity == severity).count() as u64
}

fn headline(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let worst = report.findings.iter().map(|f| f.severity).max();
    let (ink, word) = match worst {
        _ if report.capture.packets == 0 => (Ink::Warning, "NOTHING READ"),
        Some(Severity::Critical) => (Ink::Critical, "CRITICAL"),
        Some(Severity::Warning) => (Ink::Warning, "WARNING"),
        Some(Severity::Info) | None => (Ink::Good, "HEALTHY"),
    };
    writeln!(out, "{}  {}", style.paint(ink, word), style.paint(Ink::Strong, &tally(report)))?;
    let first = heaviest(&report.findings).or_else(|| report.findings.iter().find(|f| f.severity > Severity::Info));
    for line in first.map(|f| wrap(&clean(&f.explanation), style.width)).unwrap_or_default() {
        writeln!(out, "{}", style.paint(ink, &line))?;
    }
    for line in wrap(&clean(&answers(report)), style.width) {
        writeln!(out, "{}", style.paint(Ink::Strong, &line))?;
    }
    Ok(())
}

/// Is it the network, and who pays?
fn answers(report: &Report) -> String {
    let blame = blame(&report.findings, report.links.iter().any(|link| link.packets > 0));
    let whose = match blame {
        Blame::Network => "It is the network.",
        Blame::Host => "It is not the network: it is a host.",
        Blame::Job => "It is not the network: it is the job itself.",
        Blame::None => "Nothing speaks against the network.",
        Blame::Unknown => "Nothing can be said of the network.",
    };
    format!("{whose} {}", who_pays(report, blame))
}

fn who_pays(report: &Report, blame: Blame) -> String {
    let pays = pays(&report.findings);
    let Some(first) = pays.first() else { return nobody_pays(report, blame) };
    let more =
        if pays.len() > 1 { format!(", {} more too", units::count(pays.len() as u64 - 1)) } else { String::new() };
    format!("Job {} pays {} per step{more}.", first.job, units::duration(first.cost_ns_per_step))
}

/// Which jobs use what is sick, though no cost was measured.
fn nobody_pays(report: &Report, blame: Blame) -> String {
    if report.jobs.is_empty() {
        return "No training job was recognised.".to_owned();
    }
    if blame == Blame::None {
        return "No job pays.".to_owned();
    }
    let touched = touched(&report.findings);
    let named = touched.iter().take(JOBS_MAX).copied().collect::<Vec<_>>().join(", ");
    match touched.len().saturating_sub(JOBS_MAX) as u64 {
        0 if touched.is_empty() => "None of the jobs seen is touched.".to_owned(),
        0 => format!("No cost was measured in what it touches: {named}."),
        more => format!("No cost was measured in what it touches: {named} and {} more.", units::count(more)),
    }
}

fn tally(report: &Report) -> String {
    let parts: Vec<String> = [
        (number_of(report, Severity::Critical), "critical"),
        (number_of(report, Severity::Warning), "warning"),
        (number_of(report, Severity::Info), "for information"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, name)| format!("{} {name}", units::count(n)))
    .collect();
    if parts.is_empty() { "no findings".to_owned() } else { format!("findings: {}", parts.join(", ")) }
}

fn captured(capture: &Capture, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut line = format!("{} ({})", units::counted(capture.packets, "frame"), units::bytes(capture.wire_bytes));
    if let (Some(first), Some(last)) = (capture.first_ns, capture.last_ns) {
        let span = units::duration(last.saturating_sub(first));
        line.push_str(&format!(" over {span}, {} to {} UTC", clock::date_time(first), clock::time(last)));
    }
    writeln!(out, "{line}")?;
    files(&capture.files, style, out)?;
    remarks(&sight(capture), style, out)
}

fn remarks(notes: &[String], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for note in notes {
        for (index, line) in wrap(&clean(note), style.width.saturating_sub(2)).iter().enumerate() {
            let lead = if index == 0 { "- " } else { "  " };
            writeln!(out, "{}", style.paint(Ink::Warning, &format!("{lead}{line}")))?;
        }
    }
    Ok(())
}

fn files(files: &[File], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for file in files.iter().take(FILES_MAX) {
        let path = clean(if file.path == "-" { "standard input" } else { &file.path });
        let kinds = file.link_types.join(", ");
        let line = format!("  {path}: {} {kinds}", units::counted(file.packets, "frame"));
        writeln!(out, "{}", style.paint(Ink::Dim, line.trim_end()))?;
    }
    let rest = files.len().saturating_sub(FILES_MAX) as u64;
    if rest > 0 {
        writeln!(out, "{}", style.paint(Ink::Dim, &format!("  and {}", units::counted(rest, "more file"))))?;
    }
    Ok(())
}

/// What limits everything below: losses of the mirror, refused frames, cut frames.
fn sight(capture: &Capture) -> Vec<String> {
    let mirror = &capture.mirror;
    let mut notes = Vec::new();
    if mirror.lost > 0 {
        let lost = units::counted(mirror.lost, "frame");
        notes.push(format!("the mirror itself lost {lost}: gaps in those moments are not the fabric's"));
    }
    if let Some(n) = mirror.sampled_one_in {
        notes.push(format!("sampled 1 in {}: counts are scaled, loss cannot be measured", units::count(n)));
    }
    if mirror.duplicated > 0 {
        notes.push(format!("{} seen more than once, counted once", units::counted(mirror.duplicated, "packet")));
    }
    let refused: u64 = capture.refused.values().sum();
    if refused > 0 {
        notes.push(format!("{} not understood: {}", units::counted(refused, "frame"), reasons(capture)));
    }
    if let Some(unchecked) = capture.icrc_unchecked {
        notes.push(format!("ICRC compared in a sample: not of {}", units::counted(unchecked, "whole frame")));
    }
    if capture.flows_evicted > 0 {
        notes.push(format!("{} lost their place in the full table", units::counted(capture.flows_evicted, "flow")));
    }
    if !capture.not_kept.is_empty() {
        let each = capture.not_kept.iter().map(|(what, n)| format!("{} of {what}", units::count(*n)));
        notes.push(format!("no room for some records: {}", each.collect::<Vec<_>>().join(", ")));
    }
    notes
}

/// Why frames were refused, most frequent first.
fn reasons(capture: &Capture) -> String {
    let mut reasons: Vec<(&String, &u64)> = capture.refused.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut text: Vec<String> = Vec::new();
    text.extend(reasons.iter().take(REASONS_MAX).map(|(name, n)| format!("{} {}", clean(name), units::count(**n))));
    if reasons.len() > REASONS_MAX {
        text.push(format!("and {} more reasons", reasons.len() - REASONS_MAX));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::report::Finding;

    fn printed(report: &Report) -> String {
        let mut out = Vec::new();
        text(report, Style { colour: false, width: 100 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_verdict_stands_first() {
        let mut report = Report { capture: Capture { packets: 5, ..Capture::default() }, ..Report::default() };
        assert!(printed(&report).starts_with("HEALTHY  no findings\n"));
        report.findings = vec![Finding { severity: Severity::Critical, ..Finding::default() }, Finding::default()];
        assert!(printed(&report).starts_with("CRITICAL  findings: 1 critical, 1 for information\n"));
    }

    #[test]
    fn an_empty_capture_is_not_called_healthy() {
        assert!(printed(&Report::default()).starts_with("NOTHING READ"));
    }

    #[test]
    fn what_the_mirror_lost_is_said() {
        let mut capture = Capture { packets: 5, refused: [("short-ip".to_owned(), 2)].into(), ..Capture::default() };
        capture.mirror.lost = 1_200;
        let text = printed(&Report { capture, ..Report::default() });
        assert!(text.contains("- the mirror itself lost 1,200 frames"), "{text}");
        assert!(text.contains("- 2 frames not understood: short-ip 2"), "{text}");
    }
}
