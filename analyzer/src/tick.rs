//! What a worker hands over for a stretch of packet time. Every number is a delta over that stretch, so ticks merge by
//! adding: a tick twice as long is two ticks merged, two workers are two ticks merged.

use crate::control::ControlEvent;
use crate::packet::{Addr, MirrorKey, Packet, Transport};
use crate::report::Service;
use crate::slot::LinkSlot;
pub use crate::tick_message::{Message, MessageKind};

/// A link's index in the worker's link table; [`LinkInfo`] says what it is. Dense from 0, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u32);

/// One direction of one link, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Index.
    pub link: LinkId,
    /// Stable identifier, the same in every run over the same topology: `leaf0-spine1:leaf0>spine1`, `host:10.0.0.1:tx`, `rspan:152`.
    pub id: String,
    /// For people: `leaf0->spine1`, `10.0.0.1->fabric`, `RSPAN VLAN 152`.
    pub name: String,
    /// Sending node.
    pub from: String,
    /// Receiving node.
    pub to: String,
    /// Rated speed in bit/s, if known.
    pub speed_bps: Option<u64>,
    /// Parallel-link group, if the topology names one.
    pub group: Option<String>,
    /// The mirror that shows it.
    pub mirror: MirrorKey,
    /// Pcap file or interface of the tap that shows it.
    pub tap: String,
    /// The other direction of the same link, if it is in the table.
    pub reverse: Option<LinkId>,
    /// One end is a host (or the link was made for a host).
    pub host: Option<Addr>,
    /// The receiving end is that host; else the host sends here (or there is none).
    pub to_host: bool,
}

/// Sparse histogram of nanoseconds: (bucket, count), ascending. Buckets are those of [`crate::sketch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram(pub Vec<(u16, u32)>);

/// Counters of RDMA transport on a link; also part of a QP's. Merge by adding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoceCounters {
    /// Packets that carry request or response payload (not ACK, NAK, CNP, read requests).
    pub data_packets: u64,
    /// Packets whose PSN had passed before.
    pub retransmitted: u64,
    /// Bytes of payload in those.
    pub retransmitted_bytes: u64,
    /// Bytes of payload that were new.
    pub useful_bytes: u64,
    /// NAK, PSN sequence error.
    pub nak_sequence: u64,
    /// NAK, invalid request / remote access / remote operation.
    pub nak_other: u64,
    /// Receiver not ready.
    pub rnr: u64,
    /// Retransmissions begun after silence without a NAK.
    pub timeouts: u64,
    /// Forward jumps of the PSN (events, not packets).
    pub psn_gaps: u64,
    /// Packets that arrived late but were no retransmission.
    pub inversions: u64,
    /// Full frames whose ICRC was compared, and those that failed.
    pub icrc_checked: u64,
    /// ICRC wrong.
    pub icrc_bad: u64,
    /// Packets missing here and later repeated: lost between the sender and this tap.
    pub lost_before_tap: u64,
    /// Packets seen here and asked for again: lost between this tap and the receiver.
    pub lost_after_tap: u64,
    /// Packets that came twice on one link and were answered twice: doubled by the network, not by the mirror.
    pub duplicated: u64,
    /// Acknowledgements that repeat the one before: what was sent again had arrived the first time.
    pub acknowledged_again: u64,
    /// Packets whose payload a switch cut off instead of dropping them.
    pub trimmed: u64,
}

/// What one link did in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkTick {
    /// Index into the link table.
    pub link: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire (Ethernet frame without FCS).
    pub bytes: u64,
    /// Bytes of RDMA frames among them.
    pub rdma_bytes: u64,
    /// RDMA frames of any kind among them.
    pub rdma_packets: u64,
    /// Packets that are ECN capable or marked (ECT(0), ECT(1), CE).
    pub ect_packets: u64,
    /// Packets marked CE.
    pub ce_packets: u64,
    /// Congestion notification packets.
    pub cnp_packets: u64,
    /// PFC and PAUSE frames seen here.
    pub pfc_frames: u64,
    /// Time that this direction's SENDER was told to pause, per class, in ns, as far as it falls into this tick (union, cut by quanta 0).
    pub paused_ns: [u64; 8],
    /// First packet.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
    /// Longest silence of more than 100 us that ended in this tick, in ns; 0 without one. It may have begun in an earlier tick.
    pub silent_ns_max: u64,
    /// End of that silence.
    pub silent_until_ns: u64,
    /// Most bytes in one aligned 1 ms bin.
    pub max_bytes_1ms: u64,
    /// Most bytes in one aligned 100 us bin.
    pub max_bytes_100us: u64,
    /// Start of that 100 us bin.
    pub max_100us_at_ns: u64,
    /// Request to acknowledgement at the tap, ns; recorded on the link that carried the request.
    pub rtt: SparseHistogram,
    /// RDMA transport.
    pub roce: RoceCounters,
    /// TCP segments whose bytes had passed before.
    pub tcp_retransmitted: u64,
    /// TCP zero-window announcements.
    pub tcp_zero_window: u64,
    /// Packets that an ERSPAN III envelope called damaged (BSO 3).
    pub bso_bad: u64,
    /// Lengths of idle gaps (longer than 100 us) that ended in this tick, ns.
    pub idle: SparseHistogram,
    /// The tick in slots of 10 ms, those in which something happened, in order.
    pub slots: Vec<LinkSlot>,
}

/// When each link last carried a packet, as it is between two ticks: what falls silent is said without waiting for the tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// By the link's index; 0 where it never did.
    pub last_ns: Vec<u64>,
}

/// What identifies one direction of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Source.
    pub src: Addr,
    /// Destination.
    pub dst: Addr,
    /// Source port; 0 where there is none (and for RDMA, whose UDP source port is entropy).
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// IP protocol number; 0 for non-IP.
    pub protocol: u8,
    /// Destination queue pair, for RDMA.
    pub dst_qp: Option<u32>,
}

impl FlowKey {
    /// Nobody's.
    pub const NONE: Self =
        Self { src: Addr([0; 16]), dst: Addr([0; 16]), sport: 0, dport: 0, protocol: 0, dst_qp: None };

    /// Of a packet with network addresses; `protocol` is the IP protocol number, 0 without IP.
    #[inline(always)]
    pub fn of(src: Addr, dst: Addr, protocol: u8, transport: &Transport) -> Self {
        let (sport, dport, dst_qp) = match transport {
            Transport::Rdma(bth) => (0, bth.dport, Some(bth.dst_qp)),
            Transport::Tcp(tcp) => (tcp.sport, tcp.dport, None),
            Transport::Udp(s, d) | Transport::Sctp(s, d) => (*s, *d, None),
            _ => (0, 0, None),
        };
        Self { src, dst, sport, dport, protocol, dst_qp }
    }

    /// Of a packet, if it has network addresses.
    pub fn of_packet(packet: &Packet<'_>) -> Option<Self> {
        let protocol = packet.ip.map(|ip| ip.protocol);
        let addressed = protocol.is_some() || matches!(packet.transport, Transport::Rdma(_));
        addressed.then(|| Self::of(packet.src, packet.dst, protocol.unwrap_or(0), &packet.transport))
    }
}

/// What one flow did in one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowTick {
    /// Identity.
    pub key: FlowKey,
    /// Source port as seen (for RDMA the last one seen).
    pub sport: u16,
    /// VLAN, if tagged.
    pub vlan: Option<u16>,
    /// Link that carries it at present (its primary view).
    pub link: LinkId,
    /// Packets, once each however many taps show them.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// First packet in this tick.
    pub first_ns: u64,
    /// Last packet in this tick.
    pub last_ns: u64,
    /// CE-marked packets.
    pub ce_packets: u64,
    /// Retransmitted packets (TCP, RDMA).
    pub retransmitted: u64,
    /// Copies beyond the first, from mirrors that show a packet more than once.
    pub copies: u64,
    /// Name by payload, once known.
    pub app: Option<&'static str>,
    /// Inspection of the payload has ended: without a name it stays unknown.
    pub closed: bool,
    /// DSCP of its first packet in this tick, with IP.
    pub dscp: Option<u8>,
    /// How: `dpi`, `dfi`, `port`, `none`.
    pub engine: &'static str,
    /// 0..1.
    pub confidence: f32,
    /// SNI, Host or DNS name, sanitised and bounded.
    pub host_name: Option<String>,
    /// What the payload said beside: versions, fingerprints, certificates; bounded, printable.
    pub attrs: Option<std::sync::Arc<[crate::dpi::Attr]>>,
    /// Round trip at the tap (TCP: data to ACK), ns.
    pub rtt: SparseHistogram,
}

/// Identity of one direction of an RDMA conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QpKey {
    /// Source.
    pub src: Addr,
    /// Destination.
    pub dst: Addr,
    /// Destination queue pair, 24 bits.
    pub dst_qp: u32,
}

impl QpKey {
    /// No direction.
    pub const NONE: Self = Self { src: Addr([0; 16]), dst: Addr([0; 16]), dst_qp: 0 };
}

/// What first showed a thing, for evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// When.
    pub at_ns: u64,
    /// Which PSN.
    pub psn: u32,
    /// What.
    pub what: Sign,
}

/// The signs a conversation can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sign {
    /// NAK, PSN sequence error.
    NakSequence,
    /// NAK, invalid request.
    NakInvalidRequest,
    /// NAK, remote access error.
    NakRemoteAccess,
    /// NAK, remote operational error.
    NakRemoteOperation,
    /// Receiver not ready.
    Rnr,
    /// Repeat after silence without NAK.
    Timeout,
    /// Repeat of a PSN, other than by timeout.
    Retransmit,
    /// PSN jumped forward.
    Gap,
    /// Late packet, no retransmission.
    Inversion,
    /// The missing PSN came as a retransmission: lost before the tap.
    LostBeforeTap,
    /// A PSN seen here was asked for again: lost after the tap.
    LostAfterTap,
    /// ICRC mismatch.
    IcrcBad,
    /// Congestion notification for this queue pair.
    Cnp,
    /// The second answer to a packet that came twice.
    Doubled,
    /// Its payload was cut off by a switch.
    Trimmed,
}

/// The class that a data packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// DSCP.
    pub dscp: u8,
    /// It may be marked instead of dropped: ECT(0), ECT(1) or CE.
    pub ecn_capable: bool,
    /// Priority of its tag, if it has one.
    pub pcp: Option<u8>,
}

/// What one queue-pair direction did in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QpTick {
    /// Identity.
    pub key: QpKey,
    /// The other end's queue pair, when paired.
    pub src_qp: Option<u32>,
    /// `cm`, `psn` or `none`.
    pub paired_by: &'static str,
    /// Transport: RC, UC, RD, UD, XRC.
    pub transport: &'static str,
    /// Service, when connection management or payload told.
    pub service: Option<Service>,
    /// Of the links that show it at present, the one nearest to its sender.
    pub link: LinkId,
    /// Packets, once each.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Copies beyond the first.
    pub copies: u64,
    /// RDMA messages ended in this tick, and their payload bytes.
    pub messages: u64,
    /// Payload bytes of those messages, once each.
    pub message_bytes: u64,
    /// Frames by BTH opcode, as seen (copies included).
    pub opcodes: Vec<(u8, u64)>,
    /// Transport counters.
    pub roce: RoceCounters,
    /// NAKs RECEIVED by this direction's sender, by code 0..3, i.e. carried by the reverse direction, are in the reverse QP; here: NAKs carried by this direction's packets.
    pub naks: [u64; 4],
    /// CE-marked packets.
    pub ce_packets: u64,
    /// CNPs carried in this direction, to `dst_qp`.
    pub cnp_packets: u64,
    /// Class that its data asks for, where it carried some over IP: one packet is looked at.
    pub class: Option<Class>,
    /// DSCP of its latest CNP.
    pub cnp_dscp: Option<u8>,
    /// Most repeats of one PSN without acknowledged progress.
    pub repeats_of_one_psn_max: u32,
    /// Largest depth of an inversion in packets.
    pub inversion_depth_max: u32,
    /// Longest silence before a timeout retransmission, ns.
    pub timeout_silence_ns_max: u64,
    /// First packet in this tick.
    pub first_ns: u64,
    /// Last packet in this tick.
    pub last_ns: u64,
    /// Request to acknowledgement at the tap, ns.
    pub rtt: SparseHistogram,
    /// First signs of each kind in this tick: the first of every kind, and others up to 8 in all.
    pub witnesses: Vec<Witness>,
}

/// A flow whose packets stopped on one link and came on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Flow.
    pub flow: FlowKey,
    /// Link it left.
    pub from: LinkId,
    /// Link it came to.
    pub to: LinkId,
    /// Last packet on the old link.
    pub last_on_from_ns: u64,
    /// First packet on the new link.
    pub first_on_to_ns: u64,
    /// Retransmitted packets among the first 64 on the new link are not known yet; the PSN distance back from the highest seen, in packets, is.
    pub rewound_packets: u32,
}

/// What a tap (interface and mirror key) delivered in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapTick {
    /// File or device name.
    pub source: String,
    /// Mirror identity.
    pub key: MirrorKey,
    /// Frames received.
    pub frames: u64,
    /// Frames the mirror lost: GRE/ERSPAN sequence gaps, pcapng drop counts, kernel drops.
    pub lost: u64,
    /// First moment of such a loss in this tick, 0 if none.
    pub lost_first_ns: u64,
    /// Last moment.
    pub lost_last_ns: u64,
    /// Frames cut by the mirror or the capture.
    pub truncated: u64,
}

/// Totals of what was read, over one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureTick {
    /// Frames read, every one.
    pub frames: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Their captured bytes.
    pub captured_bytes: u64,
    /// Frames that could not be read as packets, by name of the reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Copies of packets beyond the first.
    pub duplicated: u64,
    /// Flows that lost their place in a full table.
    pub flows_evicted: u64,
    /// Whole RDMA frames whose ICRC was not compared: beyond a rate a sample is.
    pub icrc_unchecked: u64,
}

/// One stretch of packet time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tick {
    /// Start, aligned to the tick length.
    pub start_ns: u64,
    /// End, exclusive.
    pub end_ns: u64,
    /// How many ticks were merged into this one beyond the first.
    pub widened: u32,
    /// Totals.
    pub capture: CaptureTick,
    /// Links first seen in this tick.
    pub new_links: Vec<LinkInfo>,
    /// Links with traffic (or pauses) in this tick, ascending by index.
    pub links: Vec<LinkTick>,
    /// Flows with traffic in this tick.
    pub flows: Vec<FlowTick>,
    /// Queue pairs with traffic in this tick.
    pub qps: Vec<QpTick>,
    /// What neighbours, routers and hosts said of themselves, in order of time.
    pub control: Vec<ControlEvent>,
    /// Such records left out because the list was full.
    pub control_left_out: u64,
    /// Flows that changed links.
    pub moves: Vec<Move>,
    /// Taps with frames or losses in this tick.
    pub taps: Vec<TapTick>,
    /// RDMA messages that ended in this tick, in order of their end.
    pub messages: Vec<Message>,
    /// Records of messages left out because the list was full.
    pub messages_left_out: u64,
}
