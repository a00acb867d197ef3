//! Findings with what a person needs to check them.

use std::io::{self, Write};

use analyzer::report::{Evidence, Finding, FirstPacket, JobCost, Link, Severity, Subject};

use super::style::{Ink, Style, clean, wrap};
use super::{clock, units};

/// Findings shown; the rest is counted.
const SHOWN_MAX: usize = 20;
const FIRST_PACKETS_MAX: usize = 3;
const INVOLVED_MAX: usize = 6;
const INDENT: &str = "      ";

/// Prints the findings, worst first as the report has them.
pub fn list(findings: &[Finding], links: &[Link], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for finding in findings.iter().take(SHOWN_MAX) {
        one(finding, links, style, out)?;
    }
    let rest = findings.len().saturating_sub(SHOWN_MAX) as u64;
    if rest > 0 {
        let text = format!("and {}: all stand in the report (--report FILE)", units::counted(rest, "more finding"));
        writeln!(out, "{}", style.paint(Ink::Dim, &text))?;
    }
    Ok(())
}

fn one(finding: &Finding, links: &[Link], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let severity = style.paint(finding.severity.into(), &format!("{:8}", finding.severity.name().to_uppercase()));
    let subject = subject(&finding.subject, links);
    writeln!(out, "{severity} {}  {subject}", style.paint(Ink::Strong, &clean(&finding.kind)))?;
    paragraph("", &finding.explanation, Ink::Plain, style, out)?;
    paragraph("when     ", &when(finding), Ink::Plain, style, out)?;
    paragraph("measured ", &measured(finding), Ink::Plain, style, out)?;
    paragraph("costs    ", &costs(&finding.jobs), Ink::Plain, style, out)?;
    evidence(&finding.evidence, style, out)?;
    if let Some(cause) = &finding.cause {
        paragraph("follows  ", &format!("from {cause}"), Ink::Plain, style, out)?;
    }
    let advice = if finding.severity == Severity::Info { Ink::Dim } else { Ink::Good };
    paragraph("next     ", &finding.advice, advice, style, out)?;
    writeln!(out)
}

/// What it is about, by the name a person uses.
fn subject(subject: &Subject, links: &[Link]) -> String {
    let mut parts = Vec::new();
    if let Some(qp) = &subject.qp {
        parts.push(format!("QP {} -> {} QPN 0x{:06x}", qp.src, qp.dst, qp.dst_qp));
    }
    if let Some(id) = &subject.link {
        let name = links.iter().find(|l| l.id == *id).map_or(id, |l| &l.name);
        parts.push(if parts.is_empty() { name.clone() } else { format!("on {name}") });
    }
    parts.extend(subject.host.iter().map(|h| format!("host {h}")));
    parts.extend(subject.tap.iter().map(|t| format!("tap {t}")));
    parts.extend(subject.job.iter().map(|j| format!("job {j}")));
    clean(&parts.join(", "))
}

fn when(finding: &Finding) -> String {
    let since = clock::date_time(finding.since_ns);
    match finding.until_ns {
        Some(until) if until > finding.since_ns => {
            format!("{since} UTC, for {}", units::duration(until - finding.since_ns))
        }
        Some(_) => format!("{since} UTC, one moment"),
        None => format!("since {since} UTC, still open when the capture ended"),
    }
}

/// What each job that it touches pays.
fn costs(jobs: &[JobCost]) -> String {
    let one = |job: &JobCost| match job.cost_ns_per_step {
        0 => format!("{} is touched, no cost measured", job.job),
        cost => format!("{} {} per step", job.job, units::duration(cost)),
    };
    let mut text = jobs.iter().take(INVOLVED_MAX).map(one).collect::<Vec<_>>().join(", ");
    if jobs.len() > INVOLVED_MAX {
        text.push_str(&format!(" and {} more", jobs.len() - INVOLVED_MAX));
    }
    text
}

fn measured(finding: &Finding) -> String {
    let value = units::value(finding.value, &finding.unit);
    format!("{value}, threshold {}", units::value(finding.threshold, &finding.unit))
}

fn evidence(evidence: &Evidence, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let numbers: Vec<String> = evidence.numbers.iter().map(|(name, value)| number(name, *value)).collect();
    paragraph("evidence ", &numbers.join(", "), Ink::Plain, style, out)?;
    let involved = &evidence.involved;
    let mut names = involved.iter().take(INVOLVED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if involved.len() > INVOLVED_MAX {
        names.push_str(&format!(" and {} more", involved.len() - INVOLVED_MAX));
    }
    paragraph("involved ", &names, Ink::Plain, style, out)?;
    for packet in evidence.first_packets.iter().take(FIRST_PACKETS_MAX) {
        paragraph("packet   ", &first_packet(packet), Ink::Plain, style, out)?;
    }
    for caveat in &evidence.caveats {
        paragraph("but      ", caveat, Ink::Warning, style, out)?;
    }
    Ok(())
}

/// `gap_ns_max` 512e6 as `gap max 512 ms`: a unit in the name, or at its end, is applied.
fn number(name: &str, value: f64) -> String {
    let units = [("ns", "ns"), ("bps", "bps"), ("bytes", "bytes"), ("share", "share")];
    let mut words: Vec<&str> = name.split('_').collect();
    let unit = units.iter().find_map(|(word, unit)| Some((words.iter().rposition(|w| w == word)?, *unit)));
    let shown = unit.map_or_else(|| units::value(value, ""), |(_, unit)| units::value(value, unit));
    if let Some((at, _)) = unit.filter(|_| words.len() > 1) {
        words.remove(at);
    }
    format!("{} {shown}", words.join(" "))
}

fn first_packet(packet: &FirstPacket) -> String {
    let mut text = format!("{} {} -> {}", clock::time(packet.at_ns), packet.src, packet.dst);
    if let Some(qp) = packet.dst_qp {
        text.push_str(&format!(" QPN 0x{qp:06x}"));
    }
    if let Some(psn) = packet.psn {
        text.push_str(&format!(" PSN {psn}"));
    }
    format!("{text}: {}", packet.what)
}

/// Indented and wrapped, a label before the first line; nothing at all for no text.
fn paragraph(label: &str, text: &str, ink: Ink, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let room = style.width.saturating_sub(INDENT.len() + label.len()).max(20);
    for (index, line) in wrap(&clean(text), room).iter().enumerate() {
        let label = if index == 0 { style.paint(Ink::Dim, label) } else { " ".repeat(label.len()) };
        writeln!(out, "{INDENT}{label}{}", style.paint(ink, line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_at_the_numbers() {
        assert_eq!(number("gap_ns_max", 511_826_677.0), "gap max 512 ms");
        assert_eq!(number("ce_share_10ms_max", 0.667), "ce 10ms max 66.7 %");
        assert_eq!(number("flows_cut", 1_200.0), "flows cut 1,200");
        assert_eq!(number("bytes", 2_000.0), "bytes 2 kB");
    }

    #[test]
    fn a_finding_shows_time_value_threshold_packets_and_advice() {
        let packet = FirstPacket {
            at_ns: 61_000_000_000,
            src: "10.0.0.1".into(),
            psn: Some(7),
            what: "NAK".into(),
            ..FirstPacket::default()
        };
        let evidence = Evidence {
            first_packets: vec![packet],
            numbers: [("idle_ns".to_owned(), 2e6)].into(),
            ..Evidence::default()
        };
        let finding = Finding {
            kind: "fabric_loss".into(),
            severity: Severity::Critical,
            since_ns: 60_000_000_000,
            until_ns: Some(62_000_000_000),
            value: 3.0,
            unit: "packets".into(),
            threshold: 1.0,
            advice: "Check the optics.".into(),
            evidence,
            ..Finding::default()
        };
        let mut out = Vec::new();
        list(&[finding], &[], Style { colour: false, width: 100 }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in
            ["CRITICAL fabric_loss", "1970-01-01 00:01:00.000000 UTC, for 2 s", "3 packets, threshold 1 packets"]
        {
            assert!(text.contains(part), "{part} not in:\n{text}");
        }
        for part in ["00:01:01.000000 10.0.0.1", "PSN 7: NAK", "idle 2 ms", "Check the optics."] {
            assert!(text.contains(part), "{part} not in:\n{text}");
        }
    }
}
