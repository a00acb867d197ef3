//! One PSN space of one queue-pair direction: what is new, repeated, missing, late (IBTA vol 1, 9.7).

use crate::wire::Psn;

/// Holes remembered; beyond that the oldest is forgotten.
const HOLES: usize = 16;

/// What a packet is in its PSN space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Next in order, or the first seen.
    New,
    /// New, after a jump.
    Gap,
    /// Passed before.
    Repeat,
    /// Was missing and is here now.
    Fill {
        /// How far behind the newest, in packets.
        depth: u32,
        /// IP identification of the packet that jumped over it.
        jumper_id: u16,
    },
}

/// PSNs jumped over and not yet seen.
#[derive(Clone, Copy, Debug)]
struct Hole {
    from: Psn,
    to: Psn,
    jumper_id: u16,
}

impl Hole {
    fn holds(&self, psn: Psn) -> bool {
        psn.distance(self.from) >= 0 && psn.is_before(self.to)
    }
}

/// The state of a PSN space.
#[derive(Debug, Default)]
pub(super) struct PsnSpace {
    next: Psn,
    begun: bool,
    /// After a read request of unknown span: how far the next PSN may jump.
    slack: u32,
    holes: Vec<Hole>,
}

/// How a packet uses its space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// PSNs that it takes: more than one for a read request.
    pub span: u32,
    /// What may follow is unknown by so many PSNs.
    pub slack: u32,
    /// A forward jump is no gap here.
    pub may_jump: bool,
    /// IP identification.
    pub id: u16,
}

impl PsnSpace {
    /// The PSN that would be in order; none before the first packet.
    pub fn next(&self) -> Option<Psn> {
        self.begun.then_some(self.next)
    }

    /// Exactly the PSN that is next.
    pub fn is_next(&self, psn: Psn) -> bool {
        self.begun && self.next == psn
    }

    /// After the next packet comes the one behind it.
    pub fn is_plain(&self) -> bool {
        self.slack == 0
    }

    /// Packets in order went by.
    pub fn went_on(&mut self, next: Psn) {
        self.next = next;
        self.slack = 0;
    }

    /// Takes the packet that is next, without any further question.
    pub fn step(&mut self) {
        self.next = self.next.plus(1);
        self.slack = 0;
    }

    /// Takes a packet.
    pub fn take(&mut self, psn: Psn, how: Use) -> Order {
        if !self.begun {
            self.begun = true;
            self.advance(psn, how);
            return Order::New;
        }
        let ahead = psn.distance(self.next);
        if ahead < 0 {
            return match self.fill(psn) {
                Some(jumper_id) => Order::Fill { depth: ahead.unsigned_abs(), jumper_id },
                None => Order::Repeat,
            };
        }
        let gap = ahead.unsigned_abs() > self.slack && !how.may_jump;
        let from = self.next;
        self.advance(psn, how);
        if !gap {
            return Order::New;
        }
        if self.holes.len() == HOLES {
            self.holes.remove(0);
        }
        self.holes.push(Hole { from, to: psn, jumper_id: how.id });
        Order::Gap
    }

    fn advance(&mut self, psn: Psn, how: Use) {
        self.next = psn.plus(how.span);
        self.slack = how.slack;
    }

    /// Takes `psn` out of the hole it lies in.
    fn fill(&mut self, psn: Psn) -> Option<u16> {
        let at = self.holes.iter().position(|h| h.holds(psn))?;
        let hole = self.holes.remove(at);
        let after = psn.plus(1);
        if after != hole.to {
            self.holes.insert(at, Hole { from: after, ..hole });
        }
        if psn != hole.from && self.holes.len() < HOLES {
            self.holes.insert(at, Hole { to: psn, ..hole });
        }
        Some(hole.jumper_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Use = Use { span: 1, slack: 0, may_jump: false, id: 7 };

    fn take(space: &mut PsnSpace, psn: u32) -> Order {
        space.take(Psn::new(psn), ONE)
    }

    #[test]
    fn order_gap_fill_and_repeat_across_the_wrap() {
        let mut space = PsnSpace::default();
        assert_eq!(take(&mut space, 0xff_fffe), Order::New);
        assert_eq!(take(&mut space, 0xff_ffff), Order::New);
        assert_eq!(take(&mut space, 2), Order::Gap);
        assert_eq!(take(&mut space, 0), Order::Fill { depth: 3, jumper_id: 7 });
        assert_eq!(take(&mut space, 0), Order::Repeat);
        assert_eq!(take(&mut space, 1), Order::Fill { depth: 2, jumper_id: 7 });
        assert_eq!(take(&mut space, 3), Order::New);
    }

    #[test]
    fn a_read_request_of_unknown_span_may_be_followed_by_a_jump() {
        let mut space = PsnSpace::default();
        space.take(Psn::new(10), Use { slack: 8, ..ONE });
        assert_eq!(take(&mut space, 18), Order::New);
        assert_eq!(take(&mut space, 20), Order::Gap);
    }
}
