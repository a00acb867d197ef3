//! One struct per table: the columns that are written, in the units of the report. Times are nanoseconds since the epoch.

use std::hash::{Hash, Hasher};

use clickhouse::Row;
use serde::{Deserialize, Serialize};

/// A floating-point column that can be hashed: by its bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Real<T>(pub T);

impl Hash for Real<f32> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Hash for Real<f64> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A row with its place in packet time.
pub trait Timed {
    /// The table without its database.
    const TABLE: &'static str;
    /// What decides on the partition.
    fn at_ns(&self) -> u64;
}

macro_rules! timed {
    ($($row:ident $table:literal $at:ident;)*) => { $(
        impl Timed for $row {
            const TABLE: &'static str = $table;
            fn at_ns(&self) -> u64 {
                self.$at
            }
        }
    )* };
}

timed! {
    TickRow "ticks" start_ns;
    LinkRow "links" since_ns;
    LinkTickRow "link_metrics" start_ns;
    FlowTickRow "flows" start_ns;
    QpTickRow "qps" start_ns;
    TapTickRow "taps" start_ns;
    FindingRow "findings" since_ns;
    JobRow "jobs" since_ns;
}

/// A tick and the health of the capture in it: written last, so that a tick that is there is there whole.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct TickRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub widened: u32,
    pub frames: u64,
    pub wire_bytes: u64,
    pub captured_bytes: u64,
    pub refused_reasons: Vec<String>,
    pub refused_counts: Vec<u64>,
    pub duplicated: u64,
    pub flows_evicted: u64,
}

/// A link as it was known from `sequence` on.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct LinkRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub since_ns: u64,
    pub link_index: u32,
    pub link: String,
    pub name: String,
    pub from_node: String,
    pub to_node: String,
    pub speed_bps: Option<u64>,
    pub link_group: Option<String>,
    pub mirror_kind: String,
    pub mirror_session: Option<u32>,
    pub mirror_vlan: Option<u16>,
    pub mirror_port: Option<u32>,
    pub mirror_source: Option<String>,
    pub tap: String,
    pub reverse_index: Option<u32>,
    pub host: Option<String>,
    /// The receiving end is that host.
    pub to_host: bool,
    /// A PFC or PAUSE frame was seen on it.
    pub pfc_seen: bool,
}

/// What one link did in one tick.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct LinkTickRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub link_index: u32,
    pub link: String,
    pub packets: u64,
    pub bytes: u64,
    pub rdma_bytes: u64,
    pub rdma_packets: u64,
    pub ect_packets: u64,
    pub ce_packets: u64,
    pub cnp_packets: u64,
    pub pfc_frames: u64,
    pub paused_ns: Vec<u64>,
    pub first_ns: u64,
    pub last_ns: u64,
    pub silent_ns_max: u64,
    pub silent_until_ns: u64,
    pub max_bytes_1ms: u64,
    pub max_bytes_100us: u64,
    pub max_100us_at_ns: u64,
    pub rtt_buckets: Vec<u16>,
    pub rtt_counts: Vec<u32>,
    pub idle_buckets: Vec<u16>,
    pub idle_counts: Vec<u32>,
    pub data_packets: u64,
    pub retransmitted: u64,
    pub retransmitted_bytes: u64,
    pub useful_bytes: u64,
    pub nak_sequence: u64,
    pub nak_other: u64,
    pub rnr: u64,
    pub timeouts: u64,
    pub psn_gaps: u64,
    pub inversions: u64,
    pub icrc_checked: u64,
    pub icrc_bad: u64,
    pub lost_before_tap: u64,
    pub lost_after_tap: u64,
    pub duplicated: u64,
    pub tcp_retransmitted: u64,
    pub tcp_zero_window: u64,
    pub bso_bad: u64,
}

/// What one flow did in one tick.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct FlowTickRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub src: String,
    pub dst: String,
    /// Source port as part of the identity: 0 for RDMA, whose UDP source port is entropy.
    pub key_sport: u16,
    pub dport: u16,
    pub protocol: u8,
    pub dst_qp: Option<u32>,
    pub l4: String,
    pub sport: u16,
    pub vlan: Option<u16>,
    pub link: String,
    pub packets: u64,
    pub bytes: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub ce_packets: u64,
    pub retransmitted: u64,
    pub copies: u64,
    /// Empty: not named.
    pub app: String,
    pub engine: String,
    pub confidence: Real<f32>,
    pub host_name: Option<String>,
    pub attrs: Vec<(String, String)>,
    pub rtt_buckets: Vec<u16>,
    pub rtt_counts: Vec<u32>,
}

/// What one queue-pair direction did in one tick.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct QpTickRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub src: String,
    pub dst: String,
    pub dst_qp: u32,
    pub src_qp: Option<u32>,
    pub paired_by: String,
    pub transport: String,
    pub service: Option<String>,
    pub link: String,
    pub packets: u64,
    pub bytes: u64,
    pub copies: u64,
    pub messages: u64,
    pub message_bytes: u64,
    pub opcodes: Vec<u8>,
    pub opcode_counts: Vec<u64>,
    pub data_packets: u64,
    pub retransmitted: u64,
    pub retransmitted_bytes: u64,
    pub useful_bytes: u64,
    pub nak_sequence: u64,
    pub nak_invalid_request: u64,
    pub nak_remote_access: u64,
    pub nak_remote_operation: u64,
    pub rnr: u64,
    pub timeouts: u64,
    pub psn_gaps: u64,
    pub inversions: u64,
    pub icrc_checked: u64,
    pub icrc_bad: u64,
    pub lost_before_tap: u64,
    pub lost_after_tap: u64,
    pub duplicated: u64,
    pub ce_packets: u64,
    pub cnp_packets: u64,
    pub repeats_of_one_psn_max: u32,
    pub inversion_depth_max: u32,
    pub timeout_silence_ns_max: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub rtt_buckets: Vec<u16>,
    pub rtt_counts: Vec<u32>,
}

/// What one tap delivered in one tick.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct TapTickRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub tap: String,
    pub mirror_kind: String,
    pub mirror_session: Option<u32>,
    pub mirror_vlan: Option<u16>,
    pub mirror_port: Option<u32>,
    pub mirror_source: Option<String>,
    pub frames: u64,
    pub lost: u64,
    pub lost_first_ns: u64,
    pub lost_last_ns: u64,
    pub truncated: u64,
}

/// A finding as it was at `sequence`; the newest one stays.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct FindingRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub id: String,
    pub kind: String,
    /// 0 info, 1 warning, 2 critical.
    pub severity: u8,
    pub link: String,
    pub since_ns: u64,
    /// Absent while open.
    pub until_ns: Option<u64>,
    pub value: Real<f64>,
    pub unit: String,
    pub threshold: Real<f64>,
    pub explanation: String,
    /// What a search looks at, in lower case.
    pub searched: String,
    /// The finding whole, as JSON in the form of the report.
    pub body: String,
}

/// A job as it was at `sequence`; the newest one stays.
#[derive(Clone, Debug, Default, Hash, Row, Serialize, Deserialize)]
pub struct JobRow {
    pub sensor: String,
    pub run: String,
    pub sequence: u64,
    pub id: String,
    /// Start of the first step in `body`, end of the last.
    pub since_ns: u64,
    pub until_ns: u64,
    pub hosts: Vec<String>,
    /// Kinds of its collectives, each once.
    pub collectives: Vec<String>,
    /// Steps in all.
    pub steps: u64,
    pub step_p50_ns: Option<u64>,
    pub step_p99_ns: Option<u64>,
    pub efficiency: Option<Real<f64>>,
    /// Causes of lost time and what each lost, the largest first.
    pub lost_causes: Vec<String>,
    pub lost_ns: Vec<u64>,
    pub ended: bool,
    /// The job with its newest steps, as JSON in the form of the report.
    pub body: String,
}
