//! Sums as the database gives them, back in the analyzer's terms.

use analyzer::tick::{LinkTick, RoceCounters, SparseHistogram};
use clickhouse::Row;
use serde::Deserialize;

/// A histogram's buckets and counts.
pub type Histogram = (Vec<u16>, Vec<u64>);

/// Counters of a link that add up.
const LINK_SUMS: &[&str] = &[
    "packets",
    "bytes",
    "rdma_bytes",
    "rdma_packets",
    "ect_packets",
    "ce_packets",
    "cnp_packets",
    "pfc_frames",
    "data_packets",
    "retransmitted",
    "retransmitted_bytes",
    "useful_bytes",
    "nak_sequence",
    "nak_other",
    "rnr",
    "timeouts",
    "psn_gaps",
    "inversions",
    "icrc_checked",
    "icrc_bad",
    "lost_before_tap",
    "lost_after_tap",
    "duplicated",
    "tcp_retransmitted",
    "tcp_zero_window",
    "bso_bad",
];

/// A link's ticks of one step added up.
#[derive(Debug, Row, Deserialize)]
pub struct LinkSum {
    pub link: String,
    pub step: u64,
    packets: u64,
    bytes: u64,
    rdma_bytes: u64,
    rdma_packets: u64,
    ect_packets: u64,
    ce_packets: u64,
    cnp_packets: u64,
    pfc_frames: u64,
    data_packets: u64,
    retransmitted: u64,
    retransmitted_bytes: u64,
    useful_bytes: u64,
    nak_sequence: u64,
    nak_other: u64,
    rnr: u64,
    timeouts: u64,
    psn_gaps: u64,
    inversions: u64,
    icrc_checked: u64,
    icrc_bad: u64,
    lost_before_tap: u64,
    lost_after_tap: u64,
    duplicated: u64,
    tcp_retransmitted: u64,
    tcp_zero_window: u64,
    bso_bad: u64,
    paused_ns: Vec<u64>,
    first_ns: u64,
    last_ns: u64,
    max_bytes_1ms: u64,
    /// Inverted length of the longest silence, and its end.
    silence: (u64, u64),
    /// Inverted bytes of the fullest 100 us bin, and its start.
    burst: (u64, u64),
    rtt: Histogram,
}

/// `sum(m.packets) AS packets, ...` of the columns named: qualified, for an alias must not be taken for the column.
pub fn sums(table: &str, columns: &[&str]) -> String {
    let each: Vec<String> = columns.iter().map(|c| format!("sum({table}.{c}) AS {c}")).collect();
    each.join(", ")
}

/// What [`LinkSum`] is read from, but for the link and the step. Of equal extremes the earliest counts.
pub fn link_sums() -> String {
    format!(
        "{}, sumForEach(m.paused_ns) AS paused_ns, minIf(m.first_ns, m.first_ns > 0) AS first_ns, max(m.last_ns) AS last_ns, \
         max(m.max_bytes_1ms) AS max_bytes_1ms, min((bitNot(m.silent_ns_max), m.silent_until_ns)) AS silence, \
         min((bitNot(m.max_bytes_100us), m.max_100us_at_ns)) AS burst, sumMap(m.rtt_buckets, m.rtt_counts) AS rtt",
        sums("m", LINK_SUMS)
    )
}

/// Buckets and counts as a row; a count beyond what a row holds stays at the most it holds.
pub fn histogram((buckets, counts): Histogram) -> SparseHistogram {
    let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    SparseHistogram(buckets.into_iter().zip(counts.into_iter().map(narrow)).collect())
}

impl LinkSum {
    /// As one long tick.
    pub fn tick(self) -> LinkTick {
        let mut paused_ns = [0; 8];
        for (class, paused) in paused_ns.iter_mut().zip(&self.paused_ns) {
            *class = *paused;
        }
        LinkTick {
            link: 0,
            packets: self.packets,
            bytes: self.bytes,
            rdma_bytes: self.rdma_bytes,
            rdma_packets: self.rdma_packets,
            ect_packets: self.ect_packets,
            ce_packets: self.ce_packets,
            cnp_packets: self.cnp_packets,
            pfc_frames: self.pfc_frames,
            paused_ns,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            silent_ns_max: !self.silence.0,
            silent_until_ns: self.silence.1,
            max_bytes_1ms: self.max_bytes_1ms,
            max_bytes_100us: !self.burst.0,
            max_100us_at_ns: self.burst.1,
            roce: self.transport(),
            tcp_retransmitted: self.tcp_retransmitted,
            tcp_zero_window: self.tcp_zero_window,
            bso_bad: self.bso_bad,
            rtt: histogram(self.rtt),
            ..LinkTick::default()
        }
    }

    fn transport(&self) -> RoceCounters {
        RoceCounters {
            data_packets: self.data_packets,
            retransmitted: self.retransmitted,
            retransmitted_bytes: self.retransmitted_bytes,
            useful_bytes: self.useful_bytes,
            nak_sequence: self.nak_sequence,
            nak_other: self.nak_other,
            rnr: self.rnr,
            timeouts: self.timeouts,
            psn_gaps: self.psn_gaps,
            inversions: self.inversions,
            icrc_checked: self.icrc_checked,
            icrc_bad: self.icrc_bad,
            lost_before_tap: self.lost_before_tap,
            lost_after_tap: self.lost_after_tap,
            duplicated: self.duplicated,
            // What the store does not keep serves the detectors alone.
            ..RoceCounters::default()
        }
    }
}
