//! Responses and acknowledgements, and what they tell of the requests in the other direction (IBTA vol 1, 9.7.5).

use super::recent::Sight;
use super::space::{Order, Place, Use};
use super::{Facts, Op, Peer, Rdma, Seen};
use crate::packet::Bth;
use crate::tick::Sign;
use crate::wire::Psn;

/// AETH syndrome classes: the upper 3 bits (IBTA vol 1, table 45).
const CLASS_RNR: u8 = 1;
const CLASS_NAK: u8 = 3;

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Answer {
    /// Everything up to its PSN arrived.
    Positive,
    /// Send again later.
    NotReady,
    /// Send again from its PSN.
    SequenceError,
    /// An error that ends the connection.
    Fatal,
}

/// By AETH syndrome; without one (cut, or a read response) it is positive.
pub(in crate::worker) fn answer(syndrome: Option<u8>) -> Answer {
    match syndrome.map(|s| (s >> 5, s & 0x1f)) {
        Some((CLASS_RNR, _)) => Answer::NotReady,
        Some((CLASS_NAK, 0)) => Answer::SequenceError,
        Some((CLASS_NAK, _)) => Answer::Fatal,
        _ => Answer::Positive,
    }
}

impl Rdma {
    /// NAKs and RNRs are counted on the direction that carries them.
    pub(in crate::worker) fn acknowledge(&mut self, bth: &Bth, sight: &Sight, peer: Peer) -> Seen {
        let psn = Psn::new(bth.psn);
        let facts = match answer(bth.eth.syndrome) {
            Answer::Positive => Facts::default(),
            Answer::NotReady => Facts::RNR,
            Answer::SequenceError => Facts::NAK_SEQUENCE,
            Answer::Fatal => Facts::NAK_OTHER,
        };
        // An acknowledgement may be given twice: only its identification, or its place, shows a copy.
        if let Some(copied) = self.recent_answers.copied(psn, sight, peer.known, facts != Facts::default()) {
            return Seen { copy: true, doubled: copied.doubled, facts, ..Seen::default() };
        }
        self.recent_answers.note(psn, sight, false);
        self.answered_ns = sight.at_ns;
        self.negative(bth, sight.at_ns);
        let again = self.acknowledged.replace(psn) == Some(psn);
        Seen { facts, acknowledged_again: again && facts == Facts::default(), ..Seen::default() }
    }

    fn negative(&mut self, bth: &Bth, at_ns: u64) {
        let Some(syndrome) = bth.eth.syndrome else { return };
        if syndrome >> 5 == CLASS_RNR {
            self.delta.sign(at_ns, bth.psn, Sign::Rnr);
        }
        let code = usize::from(syndrome & 0x1f);
        let signs = [Sign::NakSequence, Sign::NakInvalidRequest, Sign::NakRemoteAccess, Sign::NakRemoteOperation];
        if syndrome >> 5 == CLASS_NAK
            && let (Some(n), Some(&sign)) = (self.delta.naks.get_mut(code), signs.get(code))
        {
            *n += 1;
            self.delta.sign(at_ns, bth.psn, sign);
        }
    }

    /// A packet of a read response.
    pub(super) fn response(&mut self, payload_len: u32, bth: &Bth, op: Op, sight: &Sight, peer: Peer) -> Seen {
        let psn = Psn::new(bth.psn);
        let mut seen = Seen { facts: Facts::DATA, ..Seen::default() };
        if self.responses.is_next(psn) {
            self.responses.step();
            self.takes_responses.step(psn);
        } else {
            if let Some(copied) = self.recent_answers.copied(psn, sight, peer.known, false) {
                let facts = if copied.repeat { seen.facts.with(Facts::REPEAT) } else { seen.facts };
                return Seen { copy: true, doubled: copied.doubled, facts, ..seen };
            }
            self.response_out_of_order(&mut seen, psn, op, sight);
        }
        self.answered_ns = sight.at_ns;
        self.recent_answers.note(psn, sight, seen.repeat());
        if !seen.repeat() || seen.facts.has(Facts::LOST_BEFORE_TAP) {
            self.new_payload(payload_len, op.last);
        }
        seen
    }

    /// The PSNs between two responses belong to requests that are no reads: only within a message is a jump a gap.
    fn response_out_of_order(&mut self, seen: &mut Seen, psn: Psn, op: Op, sight: &Sight) {
        let how = Use { span: 1, slack: 0, may_jump: op.first, place: Place::of(sight) };
        self.takes_responses.pass(psn, how);
        let (fact, sign) = match self.responses.take(psn, how) {
            Order::New | Order::Elsewhere => return,
            Order::Gap => (Facts::GAP, Sign::Gap),
            Order::Fill { .. } => (Facts::LOST_BEFORE_TAP.with(Facts::REPEAT), Sign::LostBeforeTap),
            Order::Repeat => (Facts::REPEAT, Sign::Retransmit),
        };
        seen.facts = seen.facts.with(fact);
        self.delta.sign(sight.at_ns, psn.get(), sign);
    }

    /// Would an acknowledgement or response with this PSN answer a request that waits here?
    pub fn awaits(&self, psn: Psn) -> bool {
        self.outstanding.iter().any(|&(waiting, _)| waiting == psn)
    }

    /// The other side answers `psn` (acknowledges everything up to it); gives the round trip of exactly that request.
    pub fn answered(&mut self, psn: Psn, at_ns: u64) -> Option<u64> {
        let sent = self.outstanding.iter().find(|(waiting, _)| *waiting == psn).map(|&(_, sent)| sent);
        self.outstanding.retain(|(waiting, _)| waiting.is_after(psn));
        self.rounds.progress();
        self.takes_requests.acknowledged(psn);
        if self.asked.is_some_and(|asked| psn.distance(asked) >= 0) {
            self.asked = None;
        }
        sent.map(|sent| at_ns.saturating_sub(sent))
    }

    /// The receiver asks for `psn` again. Lost after the tap if it went by here in its turn.
    pub fn asked_again(&mut self, psn: Psn, at_ns: u64) -> bool {
        self.asked = Some(psn);
        self.takes_requests.asks(psn) && self.lost_after(psn, at_ns)
    }

    /// The other side reads again from `psn` on, having said nothing: an implied NAK (IBTA vol 1, 9.7.5.2.8).
    pub fn read_again(&mut self, psn: Psn, at_ns: u64) -> bool {
        self.takes_responses.asks(psn) && self.lost_after(psn, at_ns)
    }

    fn lost_after(&mut self, psn: Psn, at_ns: u64) -> bool {
        self.delta.counters.lost_after_tap += 1;
        self.delta.sign(at_ns, psn.get(), Sign::LostAfterTap);
        true
    }

    /// The receiver acknowledged `psn` twice. If it also came twice here, on one link, then not the mirror doubled it, but the
    /// network: the receiver answers each of the two (IBTA vol 1, C9-105).
    pub fn acknowledged_twice(&mut self, psn: Psn, at_ns: u64) -> bool {
        let doubled = self.doubled.iter_mut().any(|twice| twice.take_if(|d| *d == psn).is_some());
        if doubled {
            self.delta.sign(at_ns, psn.get(), Sign::Doubled);
        }
        self.delta.counters.duplicated += u64::from(doubled);
        self.delta.counters.acknowledged_again += u64::from(!doubled);
        doubled
    }

    /// The receiver was not ready: what is repeated next is no timeout.
    pub fn not_ready(&mut self, psn: Psn) {
        self.asked = Some(psn);
        self.takes_requests.asks(psn);
    }
}
