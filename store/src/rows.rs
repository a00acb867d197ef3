//! Names and orders of rows: what every store must agree on.

use std::cmp::Ordering;

use analyzer::report::{Finding, Flow, Job, Naks, Qp};

use crate::{Page, Query, StoreError, Window};

/// Most rows of one page.
pub(crate) const MAX_ROWS: u64 = 1_000;
/// Longest text that is searched for, in bytes.
const MAX_SEARCH: usize = 256;

/// Columns that flows can be sorted by.
pub(crate) const FLOW_SORTS: &[&str] = &[
    "src",
    "sport",
    "dst",
    "dport",
    "l4",
    "vlan",
    "dst_qp",
    "link",
    "packets",
    "bytes",
    "first_ns",
    "last_ns",
    "retransmitted",
    "ce_packets",
    "app",
    "engine",
    "confidence",
    "host_name",
];
/// Columns that queue pairs can be sorted by; `nak` is the sum of its codes.
pub(crate) const QP_SORTS: &[&str] = &[
    "src",
    "dst",
    "dst_qp",
    "src_qp",
    "paired_by",
    "transport",
    "service",
    "link",
    "packets",
    "copies",
    "messages",
    "message_bytes",
    "psn_gaps",
    "retransmitted",
    "inversions",
    "nak",
    "rnr",
    "timeouts",
    "ce_packets",
    "cnp_packets",
    "icrc_bad",
    "icrc_checked",
    "lost_before_tap",
    "lost_after_tap",
    "first_ns",
    "last_ns",
];
/// Columns that findings can be sorted by.
pub(crate) const FINDING_SORTS: &[&str] =
    &["id", "kind", "severity", "since_ns", "until_ns", "value", "unit", "threshold"];

/// The column to sort by, if it is one of those allowed.
pub(crate) fn sort_column(query: &Query, allowed: &[&'static str]) -> Result<&'static str, StoreError> {
    let found = allowed.iter().find(|&&name| name == query.sort).copied();
    found.ok_or_else(|| {
        let asked: String = query.sort.chars().take(40).collect();
        StoreError::Never(format!("cannot sort by {asked:?}; columns are {}", allowed.join(", ")))
    })
}

/// The text to search for: lower case and bounded.
pub(crate) fn search_text(query: &Query) -> String {
    let mut end = query.search.len().min(MAX_SEARCH);
    while !query.search.is_char_boundary(end) {
        end -= 1;
    }
    query.search[..end].to_lowercase()
}

/// Whether a tick belongs to a window: any part of it does.
pub(crate) fn overlaps(window: Window, start_ns: u64, end_ns: u64) -> bool {
    start_ns < window.to_ns && end_ns > window.from_ns
}

/// Start of a job's first step that is listed and end of its last one.
pub(crate) fn span_of(job: &Job) -> (u64, u64) {
    let (first, last) = (job.steps.first(), job.steps.last());
    (first.map_or(0, |step| step.start_ns), last.map_or(0, |step| step.end_ns))
}

/// Whether a job has a step in a window, by those that are listed.
pub(crate) fn job_touches(job: &Job, window: Window) -> bool {
    let (since_ns, until_ns) = span_of(job);
    since_ns < window.to_ns && until_ns >= window.from_ns
}

/// NAKs by code in the order of the tick.
pub(crate) fn naks(n: [u64; 4]) -> Naks {
    let [sequence, invalid_request, remote_access, remote_operation] = n;
    Naks { sequence, invalid_request, remote_access, remote_operation }
}

/// A value that rows are sorted by. Absent sorts as 0 or "".
#[derive(PartialEq, PartialOrd)]
enum Cell<'a> {
    Int(u64),
    Float(f64),
    Text(&'a str),
}

impl<'a> Cell<'a> {
    fn int(n: impl Into<u64>) -> Self {
        Self::Int(n.into())
    }

    fn text(t: &'a Option<String>) -> Self {
        Self::Text(t.as_deref().unwrap_or_default())
    }
}

/// A row of an answer that comes in pages.
pub(crate) trait Row: Sized {
    const SORTS: &'static [&'static str];
    /// Whether the query's text, link and name fit; `search` is lower case.
    fn fits(&self, query: &Query, search: &str) -> bool;
    fn compare(&self, other: &Self, column: &str) -> Ordering;
}

fn by(a: Cell<'_>, b: Cell<'_>) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn named(wanted: &Option<String>, is: &str) -> bool {
    wanted.as_deref().is_none_or(|w| w == is)
}

impl Row for Flow {
    const SORTS: &'static [&'static str] = FLOW_SORTS;

    fn fits(&self, query: &Query, search: &str) -> bool {
        let [app, host] = [&self.app, &self.host_name].map(|t| t.as_deref().unwrap_or_default());
        let qp = self.dst_qp.map(|qp| qp.to_string()).unwrap_or_default();
        let text = || {
            let all = [&self.src, &self.sport.to_string(), &self.dst, &self.dport.to_string(), &self.l4, &qp];
            format!("{} {app} {host} {}", all.map(String::as_str).join(" "), self.link).to_lowercase()
        };
        named(&query.link, &self.link) && named(&query.name, app) && (search.is_empty() || text().contains(search))
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        by(flow_cell(self, column), flow_cell(other, column))
    }
}

fn flow_cell<'a>(f: &'a Flow, column: &str) -> Cell<'a> {
    match column {
        "src" => Cell::Text(&f.src),
        "sport" => Cell::int(f.sport),
        "dst" => Cell::Text(&f.dst),
        "dport" => Cell::int(f.dport),
        "l4" => Cell::Text(&f.l4),
        "vlan" => Cell::int(f.vlan.unwrap_or_default()),
        "dst_qp" => Cell::int(f.dst_qp.unwrap_or_default()),
        "link" => Cell::Text(&f.link),
        "packets" => Cell::Int(f.packets),
        "first_ns" => Cell::Int(f.first_ns),
        "last_ns" => Cell::Int(f.last_ns),
        "retransmitted" => Cell::Int(f.retransmitted),
        "ce_packets" => Cell::Int(f.ce_packets),
        "app" => Cell::text(&f.app),
        "engine" => Cell::Text(&f.engine),
        "confidence" => Cell::Float(f64::from(f.confidence)),
        "host_name" => Cell::text(&f.host_name),
        _ => Cell::Int(f.bytes),
    }
}

impl Row for Qp {
    const SORTS: &'static [&'static str] = QP_SORTS;

    fn fits(&self, query: &Query, search: &str) -> bool {
        let service = self.service.as_deref().unwrap_or_default();
        let src_qp = self.src_qp.map(|qp| qp.to_string()).unwrap_or_default();
        let text = || {
            let all = [&self.src, &self.dst, &self.dst_qp.to_string(), &src_qp, &self.transport];
            format!("{} {service} {}", all.map(String::as_str).join(" "), self.link).to_lowercase()
        };
        named(&query.link, &self.link) && named(&query.name, service) && (search.is_empty() || text().contains(search))
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        by(qp_cell(self, column), qp_cell(other, column))
    }
}

fn qp_cell<'a>(q: &'a Qp, column: &str) -> Cell<'a> {
    let number = match column {
        "src" => return Cell::Text(&q.src),
        "dst" => return Cell::Text(&q.dst),
        "paired_by" => return Cell::Text(&q.paired_by),
        "transport" => return Cell::Text(&q.transport),
        "service" => return Cell::text(&q.service),
        "link" => return Cell::Text(&q.link),
        "dst_qp" => u64::from(q.dst_qp),
        "src_qp" => u64::from(q.src_qp.unwrap_or_default()),
        "copies" => q.copies,
        "messages" => q.messages,
        "message_bytes" => q.message_bytes,
        "psn_gaps" => q.psn_gaps,
        "retransmitted" => q.retransmitted,
        "inversions" => q.inversions,
        "nak" => q.nak.sequence + q.nak.invalid_request + q.nak.remote_access + q.nak.remote_operation,
        "rnr" => q.rnr,
        "timeouts" => q.timeouts,
        "ce_packets" => q.ce_packets,
        "cnp_packets" => q.cnp_packets,
        "icrc_bad" => q.icrc_bad,
        "icrc_checked" => q.icrc_checked,
        "lost_before_tap" => q.lost_before_tap,
        "lost_after_tap" => q.lost_after_tap,
        "first_ns" => q.first_ns,
        "last_ns" => q.last_ns,
        _ => q.packets,
    };
    Cell::Int(number)
}

impl Row for Finding {
    const SORTS: &'static [&'static str] = FINDING_SORTS;

    fn fits(&self, query: &Query, search: &str) -> bool {
        let link = self.subject.link.as_deref().unwrap_or_default();
        named(&query.link, link)
            && named(&query.name, &self.kind)
            && (search.is_empty() || finding_text(self).to_lowercase().contains(search))
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        by(finding_cell(self, column), finding_cell(other, column))
    }
}

/// What a search in findings looks at.
pub(crate) fn finding_text(f: &Finding) -> String {
    let s = &f.subject;
    let names = [&s.link, &s.host, &s.tap, &s.job].map(|t| t.as_deref().unwrap_or_default());
    let qp = s.qp.as_ref().map(|q| format!("{} {} {}", q.src, q.dst, q.dst_qp)).unwrap_or_default();
    format!("{} {} {} {qp} {}", f.id, f.kind, names.join(" "), f.explanation)
}

fn finding_cell<'a>(f: &'a Finding, column: &str) -> Cell<'a> {
    match column {
        "id" => Cell::Text(&f.id),
        "kind" => Cell::Text(&f.kind),
        "severity" => Cell::Int(f.severity as u64),
        "until_ns" => Cell::Int(f.until_ns.unwrap_or_default()),
        "value" => Cell::Float(f.value),
        "unit" => Cell::Text(&f.unit),
        "threshold" => Cell::Float(f.threshold),
        _ => Cell::Int(f.since_ns),
    }
}

/// Filters, sorts and cuts rows that come in order of their identity, which breaks ties.
pub(crate) fn page<T: Row>(rows: impl Iterator<Item = T>, query: &Query) -> Result<Page<T>, StoreError> {
    let column = sort_column(query, T::SORTS)?;
    let search = search_text(query);
    let mut rows: Vec<T> = rows.filter(|row| row.fits(query, &search)).collect();
    rows.sort_by(|a, b| {
        let order = a.compare(b, column);
        if query.descending { order.reverse() } else { order }
    });
    let total = rows.len() as u64;
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let rows = rows.into_iter().skip(offset).take(query.limit.min(MAX_ROWS) as usize).collect();
    Ok(Page { rows, total })
}
