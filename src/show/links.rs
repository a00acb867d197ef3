//! The table of links. Columns are listed once, most important first: a narrow terminal drops them from the end.

use std::io::{self, Write};

use analyzer::report::{Link, Quantiles, Report, Severity};

use super::style::{Ink, Style, clean, shorten};
use super::units;

/// Rows shown; the rest is counted.
const ROWS_MAX: usize = 20;
const NAME_MIN: usize = 16;
/// What stands for a thing that was not measured.
const UNKNOWN: &str = "-";

/// Everything a cell may look at.
struct Row<'a> {
    link: &'a Link,
    worst: Option<Severity>,
    /// Length of the capture.
    span_ns: u64,
}

struct Column {
    title: &'static str,
    cell: fn(&Row<'_>) -> String,
}

/// After the name; in order of display and of importance.
const COLUMNS: [Column; 10] = [
    Column { title: "packets", cell: |r| units::count(r.link.packets) },
    Column { title: "mean", cell: mean_rate },
    Column { title: "peak 100us", cell: |r| known_rate(r.link.burst.max_bps_100us) },
    Column { title: "CE", cell: |r| ce_share(r.link) },
    Column { title: "retx", cell: |r| units::count(retransmitted(r.link)) },
    Column { title: "NAK", cell: naks },
    Column { title: "RTT p50", cell: |r| rtt(r.link, |q| q.p50) },
    Column { title: "p99", cell: |r| rtt(r.link, |q| q.p99) },
    Column { title: "silence", cell: |r| r.link.silent_ns_max.map_or(UNKNOWN.to_owned(), silence) },
    Column { title: "paused", cell: |r| paused(r.link) },
];

/// Over the whole capture: what a link carries on average, its silences included.
fn mean_rate(row: &Row<'_>) -> String {
    // Over less than a millisecond a mean says nothing that the peak does not say better.
    if row.span_ns < 1_000_000 {
        UNKNOWN.to_owned()
    } else {
        units::rate(row.link.bytes as f64 * 8e9 / row.span_ns as f64)
    }
}

fn naks(row: &Row<'_>) -> String {
    row.link.roce.as_ref().map_or(UNKNOWN.to_owned(), |roce| units::count(roce.nak_sequence))
}

fn known_rate(bps: u64) -> String {
    if bps == 0 { UNKNOWN.to_owned() } else { units::rate(bps as f64) }
}

fn ce_share(link: &Link) -> String {
    if link.packets == 0 {
        return UNKNOWN.to_owned();
    }
    units::percent(link.ce_packets as f64 / link.packets as f64)
}

fn retransmitted(link: &Link) -> u64 {
    link.tcp_retransmitted + link.roce.as_ref().map_or(0, |r| r.retransmitted)
}

fn rtt(link: &Link, of: fn(&Quantiles) -> u64) -> String {
    link.rtt_ns.as_ref().map_or(UNKNOWN.to_owned(), |q| units::duration(of(q)))
}

/// Gaps of up to 100 us are no silence.
fn silence(ns: u64) -> String {
    if ns == 0 { "<100 us".to_owned() } else { units::duration(ns) }
}

/// The worst class; a link on which no PFC frame can be seen is not one without pauses.
fn paused(link: &Link) -> String {
    let worst = link.pfc.paused_ns.and_then(|classes| classes.into_iter().max());
    worst.map_or(UNKNOWN.to_owned(), units::duration)
}

/// Prints the table.
pub fn table(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let links = &report.links;
    if links.is_empty() {
        return writeln!(out, "No links: no frame could be read as a packet.");
    }
    let rows = chosen(report);
    let cells: Vec<Vec<String>> = rows.iter().map(|r| COLUMNS.iter().map(|c| (c.cell)(r)).collect()).collect();
    let widths = widths(&cells);
    let (columns, name_width) = fit(&widths, &rows, style.width);
    writeln!(out, "{}", style.paint(Ink::Strong, &title(columns, &widths, name_width)))?;
    for (row, cells) in rows.iter().zip(&cells) {
        let mut line = format!("{:name_width$}", shorten(&clean(&row.link.name), name_width));
        for (cell, width) in cells.iter().zip(&widths).take(columns) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        let ink = row.worst.map_or(Ink::Plain, Ink::from);
        writeln!(out, "{} {}", style.paint(ink, mark(row.worst)), style.paint(ink, &line))?;
    }
    footer(links, rows.len(), columns, style, out)
}

fn footer(links: &[Link], shown: usize, columns: usize, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if links.len() > shown {
        let rest = units::counted((links.len() - shown) as u64, "more link");
        writeln!(out, "{}", style.paint(Ink::Dim, &format!("  and {rest}: all stand in the report (--report FILE)")))?;
    }
    let left_out: Vec<&str> = COLUMNS.iter().skip(columns).map(|c| c.title).collect();
    if !left_out.is_empty() {
        let text = format!("  a wider terminal also shows: {}", left_out.join(", "));
        writeln!(out, "{}", style.paint(Ink::Dim, &text))?;
    }
    Ok(())
}

/// Links with the worst findings first, then the busiest.
fn chosen(report: &Report) -> Vec<Row<'_>> {
    let (first_ns, last_ns) = (report.capture.first_ns.unwrap_or(0), report.capture.last_ns.unwrap_or(0));
    let span_ns = last_ns.saturating_sub(first_ns);
    let worst = |link: &Link| {
        let of_link = report.findings.iter().filter(|f| f.subject.link.as_ref() == Some(&link.id));
        of_link.map(|f| f.severity).max().filter(|s| *s > Severity::Info)
    };
    let mut rows: Vec<Row<'_>> = report.links.iter().map(|link| Row { link, worst: worst(link), span_ns }).collect();
    rows.sort_by(|a, b| {
        b.worst.cmp(&a.worst).then(b.link.bytes.cmp(&a.link.bytes)).then_with(|| a.link.id.cmp(&b.link.id))
    });
    rows.truncate(ROWS_MAX);
    rows
}

fn mark(worst: Option<Severity>) -> &'static str {
    match worst {
        Some(Severity::Critical) => "!",
        Some(Severity::Warning) => "*",
        _ => " ",
    }
}

fn widths(cells: &[Vec<String>]) -> Vec<usize> {
    let widest = |index: usize| cells.iter().filter_map(|row| row.get(index)).map(|c| c.chars().count()).max();
    COLUMNS.iter().enumerate().map(|(i, c)| c.title.len().max(widest(i).unwrap_or(0))).collect()
}

/// How many columns fit beside a readable name, and how wide the name may be.
fn fit(widths: &[usize], rows: &[Row<'_>], width: usize) -> (usize, usize) {
    let longest = rows.iter().map(|r| r.link.name.chars().count()).max().unwrap_or(0).max("link".len());
    let taken = |columns: usize| 2 + widths.iter().take(columns).map(|w| w + 2).sum::<usize>();
    let columns = (1..=widths.len()).rev().find(|n| taken(*n) + longest.min(NAME_MIN) <= width).unwrap_or(1);
    (columns, longest.min(width.saturating_sub(taken(columns)).max(NAME_MIN.min(longest))))
}

fn title(columns: usize, widths: &[usize], name_width: usize) -> String {
    let mut line = format!("  {:name_width$}", "link");
    for (column, width) in COLUMNS.iter().zip(widths).take(columns) {
        line.push_str(&format!("  {:>width$}", column.title));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::report::{Capture, Finding, Subject};

    fn link(name: &str, bytes: u64) -> Link {
        Link {
            id: name.to_owned(),
            name: name.to_owned(),
            packets: 10,
            bytes,
            last_ns: 1_000_000_000,
            ..Link::default()
        }
    }

    fn printed(links: &[Link], findings: &[Finding], width: usize) -> String {
        let mut out = Vec::new();
        let capture = Capture { first_ns: Some(0), last_ns: Some(1_000_000_000), ..Capture::default() };
        let report = Report { capture, links: links.to_vec(), findings: findings.to_vec(), ..Report::default() };
        table(&report, Style { colour: false, width }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_worst_link_stands_first_and_is_marked() {
        let subject = Subject { link: Some("small".to_owned()), ..Subject::default() };
        let finding = Finding { severity: Severity::Critical, subject, ..Finding::default() };
        let text = printed(&[link("large", 9_000), link("small", 10)], &[finding], 120);
        let first = text.lines().nth(1).unwrap();
        assert!(first.starts_with("! small"), "{text}");
    }

    #[test]
    fn twenty_rows_and_a_count_of_the_rest() {
        let links: Vec<Link> = (0..33).map(|n| link(&format!("link{n}"), n)).collect();
        let text = printed(&links, &[], 120);
        assert_eq!(text.lines().count(), 1 + 20 + 1, "{text}");
        assert!(text.contains("and 13 more links"), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let name = "leaf0-ethernet1/1->spine1-ethernet32/4 over a long name";
        for width in 60..200 {
            let text = printed(&[link(name, 1_000_000_000)], &[], width);
            let widest = text.lines().filter(|l| !l.contains("wider terminal")).map(str::len).max().unwrap();
            assert!(widest <= width, "{width}: {text}");
        }
    }
}
