//! The report: what the program says, in one document. The contract is `docs/report.md`; fields may be added, none removed.
//!
//! Times are integer nanoseconds since the epoch in packet time. Absent means unknown, never 0 or "".

use std::collections::BTreeMap;

mod job;
mod live;

use serde::{Deserialize, Serialize};

pub use job::{Collective, Job, LostTime, Parallelism, Step, StepTime, Straggler};
pub use live::LiveInput;

/// What runs over a queue pair, named by connection management, port or payload: `nvme-rdma`, `nfs-rdma`, ...
pub type Service = &'static str;

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// `fabricscope.report/1`.
    pub schema: String,
    /// What was read.
    pub capture: Capture,
    /// One entry per direction of each link.
    pub links: Vec<Link>,
    /// Flows, busiest first, at most the configured number (`flows_left_out` counts the rest).
    pub flows: Vec<Flow>,
    /// Flows left out of `flows`.
    pub flows_left_out: u64,
    /// Queue-pair directions.
    pub qps: Vec<Qp>,
    /// Queue pairs left out of `qps`.
    pub qps_left_out: u64,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// Per file.
    pub files: Vec<File>,
    /// Frames.
    pub packets: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Bytes captured.
    pub captured_bytes: u64,
    /// Frames not understood, by reason.
    pub refused: BTreeMap<String, u64>,
    /// What the mirror did.
    pub mirror: MirrorHealth,
    /// What each tap delivered.
    pub taps: Vec<Tap>,
    /// Flows that lost their place in a full table.
    pub flows_evicted: u64,
    /// Whole RDMA frames whose ICRC was not compared, where a sample was; the others are `icrc_checked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icrc_unchecked: Option<u64>,
    /// Queue pairs that lost their place in a full table.
    pub qps_evicted: u64,
    /// Links beyond the full table: their packets count in no link.
    pub links_refused: u64,
    /// Ticks merged into others because the analysis was behind: resolution was lost, no total.
    pub ticks_widened: u64,
    /// Records for which there was no room, by what they are: `messages`, `lanes`, `jobs`, `control`, `policy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub not_kept: BTreeMap<String, u64>,
    /// First and last frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ns: Option<u64>,
    /// Last frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<u64>,
}

/// One capture file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    /// As given.
    pub path: String,
    /// Names of link-layer types.
    pub link_types: Vec<String>,
    /// Frames.
    pub packets: u64,
    /// Bytes captured.
    pub bytes: u64,
    /// First frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ns: Option<u64>,
    /// Last frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<u64>,
    /// Damage met: where, what was expected, what was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
    /// How it is captured, where it is an interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveInput>,
}

/// One mirror feed: a file or interface, and the mirror's identity in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tap {
    /// For people: `leaf0.pcap`, `eth1 erspan3 session 7 from 10.0.0.1`.
    pub name: String,
    /// The mirror's identity, as links name it.
    pub mirror: LinkMirror,
    /// Frames delivered.
    pub frames: u64,
    /// Frames lost by the mirror or the capture.
    pub lost: u64,
    /// Frames cut.
    pub truncated: u64,
}

/// What the mirror itself lost, repeated, cut and sampled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MirrorHealth {
    /// Frames lost by the mirror or the capture.
    pub lost: u64,
    /// Copies beyond the first.
    pub duplicated: u64,
    /// Frames cut.
    pub truncated: u64,
    /// Sampling rate, if sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_one_in: Option<u64>,
}

/// Percentiles in ns with their count. All absent where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Samples.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 0.9.
    pub p90: u64,
    /// 0.99.
    pub p99: u64,
    /// 0.999.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

/// One direction of a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// Stable identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Sending node.
    pub from: String,
    /// Receiving node.
    pub to: String,
    /// Rated speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_bps: Option<u64>,
    /// The mirror that shows it.
    pub mirror: LinkMirror,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// First and last packet.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
    /// CE-marked packets.
    pub ce_packets: u64,
    /// CNPs.
    pub cnp_packets: u64,
    /// Priority flow control.
    pub pfc: Pfc,
    /// Round trip at the tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<Quantiles>,
    /// RDMA transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roce: Option<LinkRoce>,
    /// Peak rates.
    pub burst: Burst,
    /// Longest silence between two packets, in ns; up to 100 us it is none: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_ns_max: Option<u64>,
    /// Flows seen on it.
    pub flows: u64,
    /// TCP retransmissions.
    pub tcp_retransmitted: u64,
    /// Jobs that depend on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
}

/// Identity of the mirror behind a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkMirror {
    /// `plain`, `rspan`, `erspan1`, `erspan2`, `erspan3`, `gretap`, `vxlan`, `geneve`.
    pub kind: String,
    /// ERSPAN session, GRE key or VNI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// RSPAN VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Port or index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// `rx`, `tx` or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// Mirroring switch's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Capture file or interface.
    pub tap: String,
}

/// PFC on a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pfc {
    /// `yes`, `no` or `unknown`.
    pub visible: String,
    /// PFC and PAUSE frames that held this direction.
    pub frames: u64,
    /// Time held per class; absent unless visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_ns: Option<[u64; 8]>,
}

/// RDMA transport on a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkRoce {
    /// Frames that carry RDMA of any kind.
    pub packets: u64,
    /// Packets with payload.
    pub data_packets: u64,
    /// Repeated.
    pub retransmitted: u64,
    /// NAK, PSN sequence error.
    pub nak_sequence: u64,
    /// Receiver not ready.
    pub rnr: u64,
    /// Timeout retransmissions.
    pub timeouts: u64,
    /// PSN jumps.
    pub psn_gaps: u64,
    /// Late packets.
    pub inversions: u64,
    /// ICRC compared.
    pub icrc_checked: u64,
    /// ICRC wrong.
    pub icrc_bad: u64,
    /// Lost before the tap.
    pub lost_before_tap: u64,
    /// Lost after the tap.
    pub lost_after_tap: u64,
    /// Doubled by the network.
    pub duplicated: u64,
}

/// Peak rates with their bins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Burst {
    /// Highest aligned 1 ms bin.
    pub max_bps_1ms: u64,
    /// Highest aligned 100 us bin.
    pub max_bps_100us: u64,
    /// When that 100 us bin began.
    pub max_100us_at_ns: u64,
}

/// One flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flow {
    /// Source.
    pub src: String,
    /// Source port; of layer `ethernet` the Ethertype, or the LLC service access point, as in `dport`.
    pub sport: u16,
    /// Destination.
    pub dst: String,
    /// Destination port.
    pub dport: u16,
    /// `tcp`, `udp`, `icmp`, `sctp`, ... or `ethernet`.
    pub l4: String,
    /// VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Destination queue pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_qp: Option<u32>,
    /// Link id.
    pub link: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// First packet.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
    /// Retransmitted.
    pub retransmitted: u64,
    /// CE marks.
    pub ce_packets: u64,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// `dpi`, `dfi`, `port`, `none`.
    pub engine: String,
    /// 0..1.
    pub confidence: f32,
    /// Behaviour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<String>,
    /// SNI, Host or DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// What the payload said beside: `sni`, `ja4`, `server`, `query`, ...
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, String>,
    /// Job id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Round trip at the tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<Quantiles>,
}

/// NAKs by code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Naks {
    /// PSN sequence error.
    pub sequence: u64,
    /// Invalid request.
    pub invalid_request: u64,
    /// Remote access error.
    pub remote_access: u64,
    /// Remote operational error.
    pub remote_operation: u64,
}

/// One direction of a queue pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Qp {
    /// Source.
    pub src: String,
    /// Destination.
    pub dst: String,
    /// Destination queue pair.
    pub dst_qp: u32,
    /// Source queue pair, when paired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_qp: Option<u32>,
    /// `cm`, `psn`, `none`.
    pub paired_by: String,
    /// RC, UC, RD, UD, XRC.
    pub transport: String,
    /// Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Link id.
    pub link: String,
    /// Packets, once each.
    pub packets: u64,
    /// Copies beyond the first: the sum of `opcodes` is packets plus copies.
    pub copies: u64,
    /// Messages.
    pub messages: u64,
    /// Their payload.
    pub message_bytes: u64,
    /// Frames by operation, copies included.
    pub opcodes: BTreeMap<String, u64>,
    /// PSN jumps.
    pub psn_gaps: u64,
    /// Repeated packets.
    pub retransmitted: u64,
    /// Late packets.
    pub inversions: u64,
    /// NAKs carried in this direction.
    pub nak: Naks,
    /// RNR NAKs carried in this direction.
    pub rnr: u64,
    /// Timeout retransmissions.
    pub timeouts: u64,
    /// CE marks.
    pub ce_packets: u64,
    /// CNPs carried in this direction.
    pub cnp_packets: u64,
    /// ICRC wrong.
    pub icrc_bad: u64,
    /// ICRC compared.
    pub icrc_checked: u64,
    /// Lost before the tap.
    pub lost_before_tap: u64,
    /// Lost after the tap.
    pub lost_after_tap: u64,
    /// Round trip at the tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<Quantiles>,
    /// Job id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// First packet.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
}

/// How bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a finding is about: the most specific part first; a queue pair names its link too.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Link id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Host name or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Queue pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qp: Option<SubjectQp>,
    /// Tap (file or interface, and mirror identity), for findings about our own sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap: Option<String>,
    /// Job id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// A queue pair as a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectQp {
    /// Source.
    pub src: String,
    /// Destination.
    pub dst: String,
    /// Destination queue pair.
    pub dst_qp: u32,
}

/// A judgement with evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// Stable within a report: derived from kind, subject and start.
    pub id: String,
    /// Class, one of the registry of detectors.
    pub kind: String,
    /// How bad (the worst it reached).
    pub severity: Severity,
    /// About what.
    pub subject: Subject,
    /// Start.
    pub since_ns: u64,
    /// End; absent while open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ns: Option<u64>,
    /// Measured value (the worst).
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Threshold that it crossed.
    pub threshold: f64,
    /// The finding that this one follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Jobs that pay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobCost>,
    /// One plain sentence.
    pub explanation: String,
    /// What to do next, one sentence.
    pub advice: String,
    /// Numbers, times, first packets.
    pub evidence: Evidence,
}

/// What a finding costs a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobCost {
    /// Job id.
    pub job: String,
    /// Added time per step.
    pub cost_ns_per_step: u64,
}

/// What a person can check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Named numbers; names end in their unit.
    pub numbers: BTreeMap<String, f64>,
    /// First packets, at most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_packets: Vec<FirstPacket>,
    /// Queue pairs or hosts concerned, at most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub involved: Vec<String>,
    /// What limits the judgement ("mirror lost 12 frames in this time").
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
}

/// One packet as evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FirstPacket {
    /// When.
    pub at_ns: u64,
    /// Source.
    pub src: String,
    /// Destination.
    pub dst: String,
    /// Destination queue pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_qp: Option<u32>,
    /// PSN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psn: Option<u32>,
    /// What it shows.
    pub what: String,
}
