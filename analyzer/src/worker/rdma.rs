//! One direction of an RDMA conversation: PSNs, messages, NAKs, timeouts, round trips (IBTA vol 1, 9.7).
//!
//! Two PSN spaces share a direction: this side's requests, and its responses to the other side's reads, which echo the
//! other side's PSNs.

use super::psn_track::{Order, PsnTrack, psn_distance};
use crate::packet::{Bth, Packet};
use crate::tick::{RoceCounters, Sign, Witness};

/// Opcode low bits (IBTA vol 1, table 38).
const READ_REQUEST: u8 = 0x0c;
const READ_RESPONSE_FIRST: u8 = 0x0d;
const READ_RESPONSE_MIDDLE: u8 = 0x0e;
const READ_RESPONSE_LAST: u8 = 0x0f;
const READ_RESPONSE_ONLY: u8 = 0x10;
const ACKNOWLEDGE: u8 = 0x11;
const ATOMIC_ACKNOWLEDGE: u8 = 0x12;
/// BTH opcode of a congestion notification packet (IBTA A17.9.3).
pub(super) const CNP: u8 = 0x81;

/// Shortest silence that can precede a timeout retransmission: 4.096 us x 2^8.
const TIMEOUT_MIN_NS: u64 = 1_048_576;
/// A copy of a packet at another tap comes within this time.
const COPY_WITHIN_NS: u64 = 50_000_000;
/// Packets remembered to recognise copies.
const RECENT: usize = 128;
/// Requests that wait for their acknowledgement.
const OUTSTANDING: usize = 32;
/// Witnesses kept per tick.
const WITNESSES: usize = 8;

/// What a packet is in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Request,
    ReadRequest,
    Response {
        first: bool,
        last: bool,
        may_jump: bool,
    },
    Ack,
    Cnp,
    /// Datagrams and unknown operations: no PSN logic.
    Other,
}

/// The role of an operation; PSN logic is for connected transports only.
pub(super) fn role(opcode: u8) -> Role {
    if opcode == CNP {
        return Role::Cnp;
    }
    let connected = matches!(opcode >> 5, 0 | 1 | 5);
    match opcode & 0x1f {
        _ if !connected => Role::Other,
        READ_REQUEST => Role::ReadRequest,
        READ_RESPONSE_FIRST => Role::Response { first: true, last: false, may_jump: true },
        READ_RESPONSE_MIDDLE => Role::Response { first: false, last: false, may_jump: false },
        READ_RESPONSE_LAST => Role::Response { first: false, last: true, may_jump: false },
        READ_RESPONSE_ONLY => Role::Response { first: true, last: true, may_jump: true },
        ACKNOWLEDGE | ATOMIC_ACKNOWLEDGE => Role::Ack,
        0x00..=0x0b | 0x13 | 0x14 | 0x16 | 0x17 => Role::Request,
        _ => Role::Other,
    }
}

/// Last or only packet of a message.
fn ends_message(opcode: u8) -> bool {
    matches!(opcode & 0x1f, 0x02..=0x05 | 0x08..=0x0b | 0x13 | 0x14 | 0x16 | 0x17)
}

/// Name of a transport by the opcode's high bits.
pub(super) fn transport_name(opcode: u8) -> &'static str {
    match opcode >> 5 {
        0 => "RC",
        1 => "UC",
        2 => "RD",
        3 => "UD",
        5 => "XRC",
        _ => "other",
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    at_ns: u64,
    psn: u32,
    view: u32,
    ip_id: u16,
    used: bool,
}

/// What the direction did since the last tick.
#[derive(Clone, Debug, Default)]
pub(super) struct RdmaDelta {
    pub opcodes: Vec<(u8, u64)>,
    pub messages: u64,
    pub message_bytes: u64,
    pub counters: RoceCounters,
    pub naks: [u64; 4],
    pub cnp_packets: u64,
    pub repeats_of_one_psn_max: u32,
    pub inversion_depth_max: u32,
    pub timeout_silence_ns_max: u64,
    pub witnesses: Vec<Witness>,
}

impl RdmaDelta {
    fn sign(&mut self, at_ns: u64, psn: u32, what: Sign) {
        let enough = self.witnesses.iter().filter(|w| w.what == what).count() >= 2;
        if self.witnesses.len() < WITNESSES && !enough {
            self.witnesses.push(Witness { at_ns, psn, what });
        }
    }

    fn opcode(&mut self, opcode: u8) {
        match self.opcodes.iter_mut().find(|(o, _)| *o == opcode) {
            Some((_, n)) => *n += 1,
            None => self.opcodes.push((opcode, 1)),
        }
    }
}

/// State of one direction.
#[derive(Debug)]
pub(super) struct Rdma {
    pub transport: &'static str,
    pub delta: RdmaDelta,
    pub peer: Option<u32>,
    pub paired_by: &'static str,
    /// A candidate for pairing that matched once.
    pub suspect: Option<u32>,
    requests: PsnTrack,
    responses: PsnTrack,
    recent: Box<[Recent; RECENT]>,
    recent_responses: Box<[Recent; RECENT]>,
    outstanding: Vec<(u32, u64)>,
    last_request_ns: u64,
    last_request_psn: u32,
    last_was_repeat: bool,
    nak: Option<u32>,
    nak_repeats: u32,
    open_message_bytes: u64,
    /// Largest payload of a packet that is not the last of its message: the path MTU.
    pmtu: u32,
}

/// What the packet turned out to be, for flow and link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A copy of one counted before.
    pub copy: bool,
    /// Repeated by its sender.
    pub repeat: bool,
    /// PSNs that the sender went back, at the start of a retransmission.
    pub rewound: u32,
}

impl Rdma {
    pub fn new(opcode: u8) -> Self {
        Self {
            transport: transport_name(opcode),
            delta: RdmaDelta::default(),
            peer: None,
            paired_by: "none",
            suspect: None,
            requests: PsnTrack::default(),
            responses: PsnTrack::default(),
            recent: Box::new([Recent::default(); RECENT]),
            recent_responses: Box::new([Recent::default(); RECENT]),
            outstanding: Vec::new(),
            last_request_ns: 0,
            last_request_psn: 0,
            last_was_repeat: false,
            nak: None,
            nak_repeats: 0,
            open_message_bytes: 0,
            pmtu: 0,
        }
    }

    /// Path MTU learnt from this direction's payloads; 0 while unknown.
    pub fn pmtu(&self) -> u32 {
        self.pmtu
    }

    /// Takes a packet of this direction. `view` tells apart the places where it can be seen; `peer_pmtu` sizes read requests.
    pub fn take(&mut self, packet: &Packet<'_>, bth: &Bth, at_ns: u64, view: u32, peer_pmtu: u32) -> Seen {
        self.delta.opcode(bth.opcode);
        if bth.opcode != CNP && self.transport == "other" {
            self.transport = transport_name(bth.opcode);
        }
        let ip_id = packet.ip.map_or(0, |ip| ip.id);
        match role(bth.opcode) {
            Role::Cnp => {
                self.delta.cnp_packets += 1;
                self.delta.sign(at_ns, bth.psn, Sign::Cnp);
                Seen::default()
            }
            Role::Request => self.request(packet, bth, at_ns, view, ip_id, (1, 0)),
            Role::ReadRequest => {
                let length = bth.eth.dma_len.unwrap_or(0).max(1);
                let spans = if peer_pmtu > 0 { (length.div_ceil(peer_pmtu), 0) } else { (1, length.div_ceil(256)) };
                self.request(packet, bth, at_ns, view, ip_id, spans)
            }
            Role::Response { first, last, may_jump } => {
                self.response(packet, bth, at_ns, view, (first, last, may_jump))
            }
            Role::Ack => self.acknowledge(bth, at_ns, view, ip_id),
            Role::Other => self.datagram(packet, bth),
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>, bth: &Bth) -> Seen {
        self.delta.counters.data_packets += 1;
        if ends_message(bth.opcode) {
            self.delta.messages += 1;
            self.delta.message_bytes += u64::from(packet.payload_len);
        }
        Seen::default()
    }

    /// NAKs and RNRs are counted on the direction that carries them.
    fn acknowledge(&mut self, bth: &Bth, at_ns: u64, view: u32, ip_id: u16) -> Seen {
        if copied(&mut self.recent_responses, bth.psn, view, ip_id, at_ns, true) {
            return Seen { copy: true, ..Seen::default() };
        }
        let Some(syndrome) = bth.eth.syndrome else { return Seen::default() };
        match (syndrome >> 5, syndrome & 0x1f) {
            (1, _) => {
                self.delta.counters.rnr += 1;
                self.delta.sign(at_ns, bth.psn, Sign::Rnr);
            }
            (3, code) => {
                let signs =
                    [Sign::NakSequence, Sign::NakInvalidRequest, Sign::NakRemoteAccess, Sign::NakRemoteOperation];
                if let (Some(n), Some(&sign)) =
                    (self.delta.naks.get_mut(usize::from(code)), signs.get(usize::from(code)))
                {
                    *n += 1;
                    self.delta.sign(at_ns, bth.psn, sign);
                }
                if code == 0 {
                    self.delta.counters.nak_sequence += 1;
                } else {
                    self.delta.counters.nak_other += 1;
                }
            }
            _ => {}
        }
        Seen::default()
    }

    fn request(
        &mut self,
        packet: &Packet<'_>,
        bth: &Bth,
        at_ns: u64,
        view: u32,
        ip_id: u16,
        (span, slack): (u32, u32),
    ) -> Seen {
        if copied(&mut self.recent, bth.psn, view, ip_id, at_ns, !self.requests.is_new(bth.psn)) {
            return Seen { copy: true, ..Seen::default() };
        }
        let data = role(bth.opcode) == Role::Request;
        self.delta.counters.data_packets += u64::from(data);
        let order = self.requests.take(bth.psn, span.max(1), false, slack);
        let repeat =
            matches!(order, Order::Repeat) || matches!(order, Order::Fill(_)) && self.is_retransmission(bth, at_ns);
        let seen = match order {
            Order::New => Seen::default(),
            Order::Gap(_) => {
                self.delta.counters.psn_gaps += 1;
                self.delta.sign(at_ns, bth.psn, Sign::Gap);
                Seen::default()
            }
            Order::Fill(depth) if !repeat => {
                self.delta.counters.inversions += 1;
                self.delta.inversion_depth_max = self.delta.inversion_depth_max.max(depth);
                self.delta.sign(at_ns, bth.psn, Sign::Inversion);
                Seen::default()
            }
            Order::Fill(_) => {
                self.delta.counters.lost_before_tap += 1;
                self.delta.sign(at_ns, bth.psn, Sign::LostBeforeTap);
                self.repeated(packet, bth, at_ns)
            }
            Order::Repeat => self.repeated(packet, bth, at_ns),
        };
        self.finish_request(packet, bth, at_ns, repeat, matches!(order, Order::Repeat));
        seen
    }

    /// A missing PSN that comes now: sent again (after a NAK, after a pause, or as part of a go-back) or merely late.
    fn is_retransmission(&self, bth: &Bth, at_ns: u64) -> bool {
        let goes_on = self.last_was_repeat && psn_distance(bth.psn, self.last_request_psn) == 1;
        goes_on
            || self.nak.is_some_and(|nak| psn_distance(bth.psn, nak) >= 0)
            || at_ns.saturating_sub(self.last_request_ns) >= TIMEOUT_MIN_NS * 16
    }

    fn repeated(&mut self, packet: &Packet<'_>, bth: &Bth, at_ns: u64) -> Seen {
        self.delta.counters.retransmitted += 1;
        self.delta.counters.retransmitted_bytes += u64::from(packet.payload_len);
        let continues = self.last_was_repeat && psn_distance(bth.psn, self.last_request_psn) == 1;
        if continues {
            return Seen { repeat: true, ..Seen::default() };
        }
        let silence_ns = at_ns.saturating_sub(self.last_request_ns);
        let rewound = self.requests.next().map_or(0, |next| psn_distance(next, bth.psn).unsigned_abs());
        if self.nak.take().is_some() {
            self.delta.sign(at_ns, bth.psn, Sign::Retransmit);
        } else if silence_ns >= TIMEOUT_MIN_NS {
            self.delta.counters.timeouts += 1;
            self.delta.timeout_silence_ns_max = self.delta.timeout_silence_ns_max.max(silence_ns);
            self.delta.sign(at_ns, bth.psn, Sign::Timeout);
        } else {
            self.delta.sign(at_ns, bth.psn, Sign::Retransmit);
        }
        self.nak_repeats += 1;
        self.delta.repeats_of_one_psn_max = self.delta.repeats_of_one_psn_max.max(self.nak_repeats);
        Seen { repeat: true, rewound, ..Seen::default() }
    }

    fn finish_request(&mut self, packet: &Packet<'_>, bth: &Bth, at_ns: u64, repeat: bool, counted: bool) {
        self.last_request_ns = at_ns;
        self.last_request_psn = bth.psn;
        self.last_was_repeat = repeat;
        let read = role(bth.opcode) == Role::ReadRequest;
        if repeat {
            self.outstanding.retain(|&(psn, _)| psn_distance(psn, bth.psn) < 0);
        } else if bth.ack_req || read || ends_message(bth.opcode) {
            if self.outstanding.len() == OUTSTANDING {
                self.outstanding.remove(0);
            }
            self.outstanding.push((bth.psn, at_ns));
        }
        if read || counted {
            return;
        }
        self.new_payload(packet.payload_len, ends_message(bth.opcode));
    }

    fn new_payload(&mut self, bytes: u32, last: bool) {
        self.delta.counters.useful_bytes += u64::from(bytes);
        self.open_message_bytes += u64::from(bytes);
        if last {
            self.delta.messages += 1;
            self.delta.message_bytes += std::mem::take(&mut self.open_message_bytes);
        } else {
            self.pmtu = self.pmtu.max(bytes);
        }
    }

    fn response(
        &mut self,
        packet: &Packet<'_>,
        bth: &Bth,
        at_ns: u64,
        view: u32,
        (_, last, may_jump): (bool, bool, bool),
    ) -> Seen {
        let ip_id = packet.ip.map_or(0, |ip| ip.id);
        if copied(&mut self.recent_responses, bth.psn, view, ip_id, at_ns, !self.responses.is_new(bth.psn)) {
            return Seen { copy: true, ..Seen::default() };
        }
        self.delta.counters.data_packets += 1;
        let order = self.responses.take(bth.psn, 1, may_jump, 0);
        match order {
            Order::Gap(_) => {
                self.delta.counters.psn_gaps += 1;
                self.delta.sign(at_ns, bth.psn, Sign::Gap);
            }
            Order::Fill(_) => {
                self.delta.counters.lost_before_tap += 1;
                self.delta.sign(at_ns, bth.psn, Sign::LostBeforeTap);
            }
            Order::Repeat => {
                self.delta.counters.retransmitted += 1;
                self.delta.counters.retransmitted_bytes += u64::from(packet.payload_len);
                self.delta.sign(at_ns, bth.psn, Sign::Retransmit);
                return Seen { repeat: true, ..Seen::default() };
            }
            Order::New => {}
        }
        self.new_payload(packet.payload_len, last);
        Seen::default()
    }

    /// Would an acknowledgement or response with this PSN answer a request that waits here?
    pub fn awaits(&self, psn: u32) -> bool {
        self.outstanding.iter().any(|&(p, _)| p == psn)
    }

    /// The other side answers `psn` (acknowledges everything up to it); gives the round trip of exactly that request.
    pub fn answered(&mut self, psn: u32, at_ns: u64) -> Option<u64> {
        let round_trip = self.outstanding.iter().find(|&&(p, _)| p == psn).map(|&(_, sent)| at_ns.saturating_sub(sent));
        self.outstanding.retain(|&(p, _)| psn_distance(p, psn) > 0);
        self.nak_repeats = 0;
        round_trip
    }

    /// The receiver asks for `psn` again. Lost after the tap if it was seen here.
    pub fn asked_again(&mut self, psn: u32, at_ns: u64) {
        let again = self.nak == Some(psn);
        self.nak = Some(psn);
        if !again && self.requests.has_seen(psn) {
            self.delta.counters.lost_after_tap += 1;
            self.delta.sign(at_ns, psn, Sign::LostAfterTap);
        }
    }

    /// The receiver was not ready: what is repeated next is no timeout.
    pub fn not_ready(&mut self, psn: u32) {
        self.nak = Some(psn);
    }

    /// A packet whose ICRC is wrong: counted by what it claims to be, and not believed.
    pub fn damaged(&mut self, bth: &Bth, at_ns: u64) {
        self.delta.opcode(bth.opcode);
        self.icrc(false, bth.psn, at_ns);
    }

    /// ICRC compared over a whole frame.
    pub fn icrc(&mut self, ok: bool, psn: u32, at_ns: u64) {
        self.delta.counters.icrc_checked += 1;
        if !ok {
            self.delta.counters.icrc_bad += 1;
            self.delta.sign(at_ns, psn, Sign::IcrcBad);
        }
    }
}

/// Is this the same packet as one just seen, at another tap or doubled by the mirror? The same PSN, soon after, with the same IP
/// identification (a sender that repeats a packet gives it a new one), or seen at another place where identifications are not used.
fn copied(recent: &mut [Recent; RECENT], psn: u32, view: u32, ip_id: u16, at_ns: u64, may_be: bool) -> bool {
    let Some(slot) = recent.get_mut(psn as usize % RECENT) else { return false };
    let same = may_be
        && slot.used
        && slot.psn == psn
        && slot.ip_id == ip_id
        && at_ns.saturating_sub(slot.at_ns) < COPY_WITHIN_NS
        && (ip_id != 0 || slot.view != view);
    if !same {
        *slot = Recent { at_ns, psn, view, ip_id, used: true };
    }
    same
}
