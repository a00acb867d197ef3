//! Requests: their order, what is sent again and why (IBTA vol 1, 9.7.5, 9.9).

use super::recent::Sight;
use super::space::{Order, Place, Use};
use super::{Facts, OUTSTANDING, Op, Peer, Rdma, Role, Seen};
use crate::packet::Bth;
use crate::tick::Sign;
use crate::wire::Psn;

/// Shortest silence that can precede a timeout retransmission: 4.096 us x 2^8.
const TIMEOUT_MIN_NS: u64 = 1_048_576;
/// A missing packet that comes after a silence this long was sent again, where nothing else tells.
const LATE_MAX_NS: u64 = TIMEOUT_MIN_NS * 16;
/// Smallest PMTU (IBTA vol 1, 4.6.4): bounds what a read request of unknown PMTU spans.
const PMTU_MIN: u32 = 256;
/// In-order packets whose IP identification grew, before it is believed to show the order of sending.
const IDS_TRUSTED: u8 = 4;
/// Longest step of an IP identification between two packets of one direction that still shows their order.
const ID_STEP: u16 = 4096;

/// What the sender has sent, in the order in which it did.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    last_ns: u64,
    last_psn: Psn,
    last_was_repeat: bool,
    /// Rounds of repeats since the last acknowledged progress.
    without_progress: u32,
    newest_id: u16,
    id_steps: u8,
}

/// Steps of identifications that grew, after one more.
#[inline(always)]
pub(super) fn steps(steps: u8, step: u16) -> u8 {
    if step.wrapping_sub(1) < ID_STEP { (steps + 1).min(IDS_TRUSTED) } else { 0 }
}

impl Rounds {
    /// Learns from a packet in order whether identifications grow.
    fn learn(&mut self, id: u16) {
        self.id_steps = steps(self.id_steps, id.wrapping_sub(self.newest_id));
        self.newest_id = id;
    }

    /// Newest identification, and steps of them that grew.
    pub(super) fn ids(&self) -> (u16, u8) {
        (self.newest_id, self.id_steps)
    }

    /// Newest packet.
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// It repeats without progress.
    pub(super) fn repeats(&self) -> bool {
        self.without_progress > 0
    }

    /// Packets in order went by, the last of them this one.
    pub(super) fn went_on(&mut self, last_psn: Psn, last_ns: u64, newest_id: u16, id_steps: u8) {
        (self.last_psn, self.last_ns, self.last_was_repeat) = (last_psn, last_ns, false);
        (self.newest_id, self.id_steps) = (newest_id, id_steps);
    }

    /// Was a packet with `id` sent before one with `other`? None where identifications do not tell.
    fn sent_before(&self, id: u16, other: u16) -> Option<bool> {
        let tells = self.id_steps == IDS_TRUSTED && id != other;
        tells.then(|| (id.wrapping_sub(other) as i16) < 0)
    }

    pub(super) fn progress(&mut self) {
        self.without_progress = 0;
    }
}

impl Rdma {
    pub(super) fn request(&mut self, payload_len: u32, bth: &Bth, op: Op, sight: &Sight, peer: Peer) -> Seen {
        let psn = Psn::new(bth.psn);
        if self.requests.is_next(psn) {
            self.requests.step();
            return self.in_order(payload_len, bth, op, sight);
        }
        let how = Use { span: 1, slack: 0, may_jump: false, place: Place::of(sight) };
        self.out_of_order(payload_len, bth, op, sight, how, peer)
    }

    pub(super) fn read_request(&mut self, payload_len: u32, bth: &Bth, op: Op, sight: &Sight, peer: Peer) -> Seen {
        let length = bth.eth.dma_len.unwrap_or(0).max(1);
        // Both directions have the same path MTU; whichever has sent a long message shows it.
        let (span, slack) = match peer.pmtu.max(self.pmtu) {
            0 => (1, length.div_ceil(PMTU_MIN)),
            pmtu => (length.div_ceil(pmtu), 0),
        };
        let how = Use { span, slack, may_jump: false, place: Place::of(sight) };
        self.out_of_order(payload_len, bth, op, sight, how, peer)
    }

    /// The common case: the PSN that was expected.
    pub(in crate::worker) fn in_order(&mut self, payload_len: u32, bth: &Bth, op: Op, sight: &Sight) -> Seen {
        self.rounds.learn(sight.ip_id);
        self.recent.note(Psn::new(bth.psn), sight, false);
        self.takes_requests.step(Psn::new(bth.psn));
        self.sent(bth, op, sight, false);
        self.new_payload(payload_len, op.last);
        Seen { facts: Facts::DATA, ..Seen::default() }
    }

    fn out_of_order(&mut self, payload_len: u32, bth: &Bth, op: Op, sight: &Sight, how: Use, peer: Peer) -> Seen {
        let psn = Psn::new(bth.psn);
        let data = if op.role == Role::Request { Facts::DATA } else { Facts::default() };
        if let Some(copied) = self.recent.copied(psn, sight, peer.known, self.asked.is_some()) {
            let facts = if copied.repeat { data.with(Facts::REPEAT) } else { data };
            if copied.doubled {
                self.doubled.rotate_right(1);
                self.doubled[0] = Some(psn);
            }
            return Seen { copy: true, doubled: copied.doubled, facts, ..Seen::default() };
        }
        let mut seen = Seen { facts: data, ..Seen::default() };
        let order = self.requests.take(psn, how);
        let late = match order {
            Order::New => {
                self.rounds.learn(sight.ip_id);
                false
            }
            Order::Gap => {
                self.rounds.newest_id = sight.ip_id;
                self.mark(&mut seen, Facts::GAP, sight, psn, Sign::Gap);
                false
            }
            Order::Elsewhere => true,
            Order::Fill { depth, jumper_id } => self.fill(&mut seen, psn, sight, depth, jumper_id, peer),
            Order::Repeat => {
                self.repeated(&mut seen, psn, sight, peer);
                false
            }
        };
        seen.reads_again = seen.rewound > 0 && op.role == Role::ReadRequest;
        self.recent.note(psn, sight, seen.repeat());
        self.takes_requests.pass(psn, how);
        if !late {
            self.sent(bth, op, sight, seen.repeat());
        }
        if op.role == Role::Request && order != Order::Repeat {
            self.new_payload(payload_len, op.last);
        }
        seen
    }

    /// A missing PSN: sent again, or merely late (then true).
    fn fill(&mut self, seen: &mut Seen, psn: Psn, sight: &Sight, depth: u32, jumper_id: u16, peer: Peer) -> bool {
        let late = match self.rounds.sent_before(sight.ip_id, jumper_id) {
            Some(before) => before,
            None => !self.looks_sent_again(psn, sight.at_ns),
        };
        if late {
            self.delta.inversion_depth_max = self.delta.inversion_depth_max.max(depth);
            self.mark(seen, Facts::INVERSION, sight, psn, Sign::Inversion);
        } else {
            self.mark(seen, Facts::LOST_BEFORE_TAP, sight, psn, Sign::LostBeforeTap);
            self.repeated(seen, psn, sight, peer);
        }
        late
    }

    /// Without identifications: after a NAK, after a pause, or as part of a go-back.
    fn looks_sent_again(&self, psn: Psn, at_ns: u64) -> bool {
        let goes_on = self.rounds.last_was_repeat && psn.distance(self.rounds.last_psn) == 1;
        goes_on
            || self.asked.is_some_and(|asked| psn.distance(asked) >= 0)
            || at_ns.saturating_sub(self.rounds.last_ns) >= LATE_MAX_NS
    }

    fn mark(&mut self, seen: &mut Seen, fact: Facts, sight: &Sight, psn: Psn, sign: Sign) {
        seen.facts.add(fact);
        self.delta.sign(sight.at_ns, psn.get(), sign);
    }

    /// Sent again. A sender that goes back sends upwards from there; a step down begins another round, and has a cause.
    fn repeated(&mut self, seen: &mut Seen, psn: Psn, sight: &Sight, peer: Peer) {
        seen.facts.add(Facts::REPEAT);
        let overtaken = self.rounds.sent_before(sight.ip_id, self.rounds.newest_id) == Some(true);
        if overtaken || psn.is_after(self.rounds.last_psn) {
            return;
        }
        self.rounds.newest_id = sight.ip_id;
        seen.rewound = self.requests.next().map_or(0, |next| next.distance(psn).unsigned_abs());
        let heard_ns = self.rounds.last_ns.max(peer.answered_ns);
        let silence_ns = sight.at_ns.saturating_sub(heard_ns);
        if self.asked.take().is_none() && silence_ns >= TIMEOUT_MIN_NS {
            self.delta.timeout_silence_ns_max = self.delta.timeout_silence_ns_max.max(silence_ns);
            self.mark(seen, Facts::TIMEOUT, sight, psn, Sign::Timeout);
        } else {
            self.delta.sign(sight.at_ns, psn.get(), Sign::Retransmit);
        }
        self.rounds.without_progress += 1;
        self.delta.repeats_of_one_psn_max = self.delta.repeats_of_one_psn_max.max(self.rounds.without_progress);
    }

    fn sent(&mut self, bth: &Bth, op: Op, sight: &Sight, repeat: bool) {
        let psn = Psn::new(bth.psn);
        self.rounds.last_ns = sight.at_ns;
        self.rounds.last_psn = psn;
        self.rounds.last_was_repeat = repeat;
        if repeat {
            // What is sent again can't be timed: the answer may be to either.
            self.outstanding.retain(|(waiting, _)| waiting.is_before(psn));
        } else if bth.ack_req || op.last || op.role == Role::ReadRequest {
            if self.outstanding.len() == OUTSTANDING {
                self.outstanding.remove(0);
            }
            self.outstanding.push((psn, sight.at_ns));
        }
    }
}
