//! A direction in its plain state: every packet comes in its turn, the same way as the one before. What such packets change is
//! kept in two lines of memory, and carried into the state of the conversation before anything else looks at it. So a plain
//! packet costs two lines, and the conversation is at every look what it would be had each packet been taken by it.

use super::recent::Sight;
use super::{Op, Rdma, Role, op};
use crate::packet::Bth;
use crate::tick::Class;
use crate::wire::Psn;
use crate::worker::peek::{Peek, ecn, same_but_ecn};

/// No PSN is expected: requests of this direction are taken by the conversation.
const NO_PSN: u32 = u32::MAX;

/// What plain packets change.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(in crate::worker) struct Hot {
    /// Newest packet.
    pub last_ns: u64,
    /// Newest request.
    pub sent_ns: u64,
    /// Wire bytes not yet with the flow.
    pub bytes: u64,
    /// Payload not yet with the conversation.
    pub payload: u64,
    /// Packets not yet with the flow.
    pub packets: u32,
    /// Requests not yet with the conversation.
    pub requests: u32,
    /// The PSN that is next, or [`NO_PSN`].
    pub next: u32,
    /// So many packets surely belong to the present message.
    pub left: u32,
    /// Where they come from, [`Route::tap`](crate::worker::flows::Route).
    pub tap: u32,
    /// Links that carry them.
    pub links: [u16; 2],
    pub ip_id: u16,
    /// Identifications that grew, as [`super::requests::Rounds`] counts them.
    pub id_steps: u8,
    /// Opcode of the present message's middle.
    pub middle: u8,
    /// Largest payload that teaches nothing new of the path MTU.
    pub payload_max: u16,
    /// Hash of the sender.
    pub source: u8,
    /// Plain it is: what is here is not yet in the conversation.
    pub armed: bool,
}

/// What plain packets did beside, for flow and links.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::worker) struct Beside {
    pub data_packets: u64,
    pub useful_bytes: u64,
    pub icrc_checked: u64,
}

impl Hot {
    pub const COLD: Self = Self {
        last_ns: 0,
        sent_ns: 0,
        bytes: 0,
        payload: 0,
        packets: 0,
        requests: 0,
        next: NO_PSN,
        left: 0,
        tap: 0,
        links: [0; 2],
        ip_id: 0,
        id_steps: 0,
        middle: 0,
        payload_max: 0,
        source: 0,
        armed: false,
    };
}

/// How a direction's packets come, as far as the conversation does not know it.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Way {
    pub tap: u32,
    pub links: [u16; 2],
    pub source: u8,
    pub last_ns: u64,
    pub dscp: u8,
    /// Priority of its tag.
    pub pcp: Option<u8>,
}

/// Opcode of a message's middle packets, by that of any of its packets.
fn middle_of(opcode: u8) -> u8 {
    let low = match opcode & 0x1f {
        0x06..=0x0b => 0x07,
        _ => 0x01,
    };
    opcode & 0xe0 | low
}

/// Sends and writes over a connection: what the short way takes. Others take more than one PSN, or carry other headers.
#[inline(always)]
fn is_short(opcode: u8) -> bool {
    opcode >> 5 <= 1 && matches!(opcode & 0x1f, 0..=0x0b | 0x16 | 0x17)
}

impl Rdma {
    /// Asks memory for this packet's place among the last ones.
    #[inline(always)]
    pub fn ask_place(&self, peek: &Peek) {
        let ring = if peek.opcode == super::ACK { &self.recent_answers } else { &self.recent };
        ring.ask(Psn::new(peek.psn));
    }

    /// From now on packets like this one are taken the short way, if the conversation is plain.
    pub fn arm(&mut self, peek: &Peek, way: &Way) {
        // A congestion mark does not change what the others look like.
        let known = same_but_ecn(&self.lasting, &peek.lasting);
        if !known || peek.ecn() != 3 {
            self.lasting = peek.lasting;
        }
        if ecn(&self.lasting) == 3 || self.dscp.is_some_and(|dscp| dscp != way.dscp) {
            return;
        }
        let Way { tap, links, source, last_ns, dscp, pcp } = *way;
        self.plain_class = Class { dscp, ecn_capable: ecn(&self.lasting) != 0, pcp };
        self.hot = Hot { armed: true, tap, links, source, last_ns, ..Hot::COLD };
        self.expect(peek.opcode);
    }

    /// Notes what comes next, by the state of the conversation.
    pub fn expect(&mut self, opcode: u8) {
        let (requests, ids) = (self.requests.next(), self.rounds.ids());
        let plain = self.requests.is_plain() && self.dscp.is_some() && !self.asked_or_repeats();
        let Some(next) = requests.filter(|&next| plain && self.takes_requests.keeps_step(next)) else {
            self.hot.next = NO_PSN;
            return;
        };
        self.hot.next = next.get();
        (self.hot.ip_id, self.hot.id_steps) = ids;
        self.hot.sent_ns = self.rounds.last_ns();
        if is_short(opcode) {
            self.middle = middle_of(opcode);
        }
        self.hot.middle = self.middle;
        let (left, pmtu) = self.messages.middle_left(next.get());
        self.hot.left = left;
        self.hot.payload_max = pmtu.min(self.pmtu).min(u32::from(u16::MAX)) as u16;
    }

    /// As [`Rdma::expect`], without a packet.
    pub fn renew(&mut self) {
        self.fold();
        self.expect(self.middle);
    }

    fn asked_or_repeats(&self) -> bool {
        self.asked.is_some() || self.rounds.repeats()
    }

    /// Carries the requests taken the short way into the conversation.
    pub fn fold(&mut self) {
        let Hot { requests, payload, next, sent_ns, ip_id, id_steps, .. } = self.hot;
        if requests == 0 {
            return;
        }
        let last = Psn::new(next.wrapping_sub(1));
        self.rounds.went_on(last, sent_ns, ip_id, id_steps);
        self.takes_requests.went_on(Psn::new(next));
        self.requests.went_on(Psn::new(next));
        self.messages.went_on(next, sent_ns, payload);
        self.open_message_bytes += payload;
        self.delta.opcodes_add(self.hot.middle, requests);
        self.delta.counters.data_packets += u64::from(requests);
        self.delta.counters.useful_bytes += payload;
        self.beside.data_packets += u64::from(requests);
        self.beside.useful_bytes += payload;
        (self.hot.requests, self.hot.payload) = (0, 0);
    }

    /// In the middle of a message, in its turn. `false`: it is not, and nothing was done.
    #[inline(always)]
    pub fn middle(&mut self, peek: &Peek, payload_len: u32, at_ns: u64) -> bool {
        let hot = &mut self.hot;
        let plain = peek.opcode == hot.middle && peek.psn == hot.next && hot.left > 0 && !peek.ack_req;
        if !plain || payload_len > u32::from(hot.payload_max) {
            return false;
        }
        let step = peek.ip_id.wrapping_sub(hot.ip_id);
        hot.id_steps = super::requests::steps(hot.id_steps, step);
        hot.ip_id = peek.ip_id;
        hot.sent_ns = at_ns;
        hot.payload += u64::from(payload_len);
        hot.requests += 1;
        hot.next = (hot.next + 1) & 0x00ff_ffff;
        hot.left -= 1;
        let sight =
            Sight { at_ns, link: hot.links[0], ip_id: peek.ip_id, ttl: crate::worker::peek::ttl(&self.lasting) };
        self.recent.note(Psn::new(peek.psn), &sight, false);
        true
    }

    /// Begins or ends a message, or asks for an acknowledgement: in its turn, but the conversation is to see it.
    #[inline(always)]
    pub fn is_turn(&self, peek: &Peek) -> Option<Op> {
        (peek.psn == self.hot.next && is_short(peek.opcode))
            .then(|| op(peek.opcode))
            .filter(|op| op.role == Role::Request)
    }

    /// Takes such a packet.
    pub fn turn(&mut self, bth: &Bth, op: Op, payload_len: u32, sight: &Sight) {
        self.fold();
        self.delta.opcode(bth.opcode);
        self.requests.step();
        let seen = self.in_order(payload_len, bth, op, sight);
        self.delta.counters.book(seen.facts, payload_len);
        self.beside.data_packets += 1;
        self.beside.useful_bytes += u64::from(payload_len);
    }

    /// As [`Rdma::asks`], of packets like the one that armed it.
    pub fn asks_as_before(&mut self, peek: &Peek, payload_len: u32) {
        if peek.opcode != super::ACK && payload_len > 0 && self.delta.counters.trimmed == 0 {
            self.class = Some(self.plain_class);
        }
    }

    /// Whether an acknowledgement is plain: positive, new, no copy.
    #[inline(always)]
    pub fn is_plain_answer(&self, psn: u32) -> bool {
        let psn = Psn::new(psn);
        self.acknowledged != Some(psn) && !self.recent_answers.holds(psn)
    }

    /// What plain packets did beside, for flow and links.
    pub fn take_beside(&mut self) -> Beside {
        std::mem::take(&mut self.beside)
    }

    /// An acknowledgement of the other side for requests taken the short way: does it change more than what is outstanding?
    pub fn answers_change_nothing(&self, psn: u32) -> bool {
        let next = self.hot.next;
        self.hot.armed && next != NO_PSN && Psn::new(psn).is_before(Psn::new(next)) && self.takes_requests.in_step
    }
}
