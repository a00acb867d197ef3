//! One direction of an RDMA conversation: PSNs, messages, NAKs, timeouts, round trips (IBTA vol 1, 9.7).
//!
//! Two PSN spaces share a direction: this side's requests, and its responses to the other side's reads, which echo the
//! other side's PSNs.

mod answers;
mod cm;
mod delta;
mod facts;
mod hot;
mod receiver;
mod recent;
mod requests;
mod role;
mod services;
mod space;

use super::icrc::SUSPECT;
use super::messages::Messages;
use super::peek::Lasting;
use crate::packet::{Bth, Packet};
use crate::tick::{Class, QpKey, Sign};
use crate::wire::{Psn, transport_name};

pub(super) use answers::{Answer, answer};
pub(super) use cm::{Connection, Connections};
pub(super) use delta::RdmaDelta;
pub(super) use facts::Facts;
pub(super) use hot::{Beside, Hot, Way};
pub(super) use recent::{NO_LINK, Sight};
pub(super) use role::{Op, Role, op};

use receiver::Receiver;
use recent::Recent;
use requests::Rounds;
use space::PsnSpace;

/// BTH opcode of a congestion notification packet (IBTA A17.9.3).
pub(super) const CNP: u8 = 0x81;
/// BTH opcode of an acknowledgement over a reliable connection (IBTA vol 1, table 38).
pub(super) const ACK: u8 = 0x11;

/// Requests that wait for their acknowledgement.
const OUTSTANDING: usize = 32;

/// Packets that came twice, remembered until they are acknowledged.
const DOUBLED: usize = 8;

/// What is known of the other direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    /// Largest payload of its packets that are not the last of their message: the path MTU; 0 while unknown.
    pub pmtu: u32,
    /// When it last acknowledged or responded.
    pub answered_ns: u64,
    /// It has been found.
    pub known: bool,
}

/// What the packet turned out to be, for flow and link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A copy of one counted before.
    pub copy: bool,
    /// A copy on a link that showed the packet before: the mirror doubled it, the link did not carry it twice.
    pub doubled: bool,
    /// What it adds to transport counters.
    pub facts: Facts,
    /// PSNs that the sender went back, at the start of a retransmission.
    pub rewound: u32,
    /// A read request sent again: the responses from its PSN on did not arrive.
    pub reads_again: bool,
    /// The same PSN acknowledged once more, in a packet of its own.
    pub acknowledged_again: bool,
}

impl Seen {
    /// Repeated by its sender.
    pub fn repeat(&self) -> bool {
        self.facts.has(Facts::REPEAT)
    }
}

/// Lines of memory at the beginning of [`Rdma`]: of packets in the middle of a message, and of others.
pub(super) const PLAIN_LINES: usize = 3;
pub(super) const TURN_LINES: usize = 9;

/// State of one direction: first what most packets touch.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Rdma {
    /// What plain packets look like.
    pub lasting: Lasting,
    /// What they change.
    pub hot: Hot,
    recent: Recent,
    /// Place of its flow.
    pub place: u32,
    /// Place of the other direction's flow.
    pub peer: Option<u32>,
    /// The other direction.
    pub peer_id: Option<u32>,
    /// Of its flow's key.
    pub hash: u32,
    /// The sender's MAC address, see [`On`](super::links::On).
    pub speaker: Option<u32>,
    pub beside: Beside,
    /// What plain packets ask for.
    plain_class: Class,
    /// So many more of its frames have their ICRC compared in any case.
    pub icrc_suspect: u32,
    /// Opcode of the middle packets of its newest message.
    middle: u8,
    pub key: QpKey,
    rounds: Rounds,
    requests: PsnSpace,
    /// The other side, taking this side's requests.
    takes_requests: Receiver,
    outstanding: Vec<(Psn, u64)>,
    open_message_bytes: u64,
    pmtu: u32,
    answered_ns: u64,
    /// Messages as events.
    pub messages: Messages,
    pub delta: RdmaDelta,
    /// The newest PSN acknowledged.
    acknowledged: Option<Psn>,
    /// PSN asked for again by the receiver and not yet repeated.
    asked: Option<Psn>,
    recent_answers: Recent,
    responses: PsnSpace,
    /// The other side, taking this side's responses.
    takes_responses: Receiver,
    /// The newest requests that came twice on one link.
    doubled: [Option<Psn>; DOUBLED],
    pub transport: &'static str,
    /// The sender's queue pair, as connection management named it.
    pub src_qp: Option<u32>,
    pub paired_by: &'static str,
    /// A candidate for pairing that matched once.
    pub suspect: Option<u32>,
    /// Attempts to find the peer by PSN so far.
    pub attempts: u32,
    /// DSCP of its first whole data packet.
    dscp: Option<u8>,
    /// The class that its data asks for: of the latest such packet that began a tick, or opened the short way.
    pub class: Option<Class>,
}

impl Rdma {
    pub fn new(opcode: u8, key: QpKey, hash: u32, place: u32) -> Self {
        Self {
            lasting: [0; 8],
            hot: Hot::COLD,
            place,
            peer_id: None,
            hash,
            speaker: None,
            beside: Beside::default(),
            plain_class: Class { dscp: 0, ecn_capable: false, pcp: None },
            icrc_suspect: 0,
            middle: 0x07,
            key,
            transport: transport_name(opcode),
            delta: RdmaDelta::default(),
            peer: None,
            src_qp: None,
            paired_by: "none",
            suspect: None,
            attempts: 0,
            messages: Messages::default(),
            requests: PsnSpace::default(),
            responses: PsnSpace::default(),
            takes_requests: Receiver::default(),
            takes_responses: Receiver::default(),
            rounds: Rounds::default(),
            recent: Recent::default(),
            recent_answers: Recent::default(),
            outstanding: Vec::new(),
            asked: None,
            doubled: [None; DOUBLED],
            acknowledged: None,
            answered_ns: 0,
            open_message_bytes: 0,
            pmtu: 0,
            dscp: None,
            class: None,
        }
    }

    /// This direction as the other one sees it.
    pub fn as_peer(&self) -> Peer {
        Peer { pmtu: self.pmtu, answered_ns: self.answered_ns, known: true }
    }

    /// Takes a packet of this direction; `peer` is the other direction as far as it is known.
    pub fn take(&mut self, payload_len: u32, bth: &Bth, sight: &Sight, peer: Peer) -> Seen {
        let op = op(bth.opcode);
        self.delta.opcode(bth.opcode);
        let seen = match op.role {
            Role::Request => self.request(payload_len, bth, op, sight, peer),
            Role::ReadRequest => self.read_request(payload_len, bth, op, sight, peer),
            Role::Response => self.response(payload_len, bth, op, sight, peer),
            Role::Ack => self.acknowledge(bth, sight, peer),
            Role::Cnp => self.notification(bth, sight),
            Role::Other => self.datagram(payload_len, op),
        };
        self.delta.counters.book(seen.facts_counted(), payload_len);
        seen
    }

    fn notification(&mut self, bth: &Bth, sight: &Sight) -> Seen {
        if self.transport == "CNP" {
            // Notifications have no PSN of their own: those of one sender differ in their IP identification.
            let slot = Psn::new(u32::from(sight.ip_id));
            if let Some(copied) = self.recent_answers.copied(slot, sight, false, false) {
                return Seen { copy: true, doubled: copied.doubled, ..Seen::default() };
            }
            self.recent_answers.note(slot, sight, false);
        }
        self.delta.cnp_packets += 1;
        self.delta.sign(sight.at_ns, bth.psn, Sign::Cnp);
        Seen::default()
    }

    fn datagram(&mut self, payload_len: u32, op: Op) -> Seen {
        if op.last {
            self.delta.messages += 1;
            self.delta.message_bytes += u64::from(payload_len);
        }
        Seen { facts: Facts::DATA, ..Seen::default() }
    }

    /// Payload that was not seen before.
    fn new_payload(&mut self, bytes: u32, last: bool) {
        self.open_message_bytes += u64::from(bytes);
        if last {
            self.delta.messages += 1;
            self.delta.message_bytes += std::mem::take(&mut self.open_message_bytes);
        } else {
            self.pmtu = self.pmtu.max(bytes);
        }
    }

    /// Notes the class that a packet asks for, if it carries data whole (trimming changes the class).
    pub fn asks(&mut self, packet: &Packet<'_>, bth: &Bth) {
        let data = matches!(op(bth.opcode).role, Role::Request | Role::Response) && packet.payload_len > 0;
        let Some(ip) = packet.ip.filter(|_| data && self.delta.counters.trimmed == 0) else { return };
        let pcp = packet.vlan.map(|_| packet.pcp);
        self.class = Some(Class { dscp: ip.dscp, ecn_capable: ip.ecn != 0, pcp });
    }

    /// A data packet that a switch cut: the frame was shorter than its IP header says, and it travels in another class than
    /// the others of its direction (as SONiC and SAI trim). A mirror that cuts leaves the class as it was.
    pub fn trimmed(&mut self, packet: &Packet<'_>, bth: &Bth) -> bool {
        let Some(ip) = packet.ip.filter(|_| matches!(op(bth.opcode).role, Role::Request | Role::Response)) else {
            return false;
        };
        if packet.shortened {
            return !packet.mirror.truncated && self.dscp.is_some_and(|usual| usual != ip.dscp);
        }
        self.dscp.get_or_insert(ip.dscp);
        false
    }

    /// A packet that a switch cut, once however many links show it.
    pub fn cut(&mut self, bth: &Bth, at_ns: u64, copy: bool) {
        if !copy {
            self.delta.sign(at_ns, bth.psn, Sign::Trimmed);
            self.delta.counters.book(Facts::TRIMMED, 0);
        }
    }

    /// A packet whose ICRC is wrong: counted by what it claims to be, and not believed.
    pub fn damaged(&mut self, bth: &Bth, at_ns: u64) -> Facts {
        self.delta.opcode(bth.opcode);
        self.icrc_suspect = SUSPECT;
        self.delta.sign(at_ns, bth.psn, Sign::IcrcBad);
        self.delta.counters.book(Facts::ICRC_BAD, 0);
        Facts::ICRC_BAD
    }

    /// A packet whose ICRC is right.
    pub fn sound(&mut self) {
        self.delta.counters.book(Facts::ICRC_OK, 0);
    }
}

impl Seen {
    /// A copy adds nothing to its queue pair.
    fn facts_counted(&self) -> Facts {
        if self.copy { Facts::default() } else { self.facts }
    }
}
