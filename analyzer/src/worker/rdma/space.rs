//! One PSN space of one queue-pair direction: what is new, repeated, missing, late (IBTA vol 1, 9.7).

use super::recent::Sight;
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
    /// Was missing where the packet that jumped over it was seen, and is here at another place of the same way: the mirror
    /// there lost it.
    Elsewhere,
}

/// PSNs jumped over and not yet seen.
#[derive(Clone, Copy, Debug)]
struct Hole {
    from: Psn,
    to: Psn,
    jumper: Place,
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

/// Which packet it is, and where it was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// IP identification.
    pub id: u16,
    /// Link.
    pub link: u16,
    /// Time to live: the same on parallel links, less further on.
    pub ttl: u8,
}

impl Place {
    pub(super) fn of(sight: &Sight) -> Self {
        Self { id: sight.ip_id, link: sight.link, ttl: sight.ttl }
    }

    /// Another place of the same way, rather than a parallel one.
    fn apart(self, other: Self) -> bool {
        self.link != other.link && self.ttl != other.ttl
    }
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
    /// Which, and where.
    pub place: Place,
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
                Some(jumper) if how.place.apart(jumper) => Order::Elsewhere,
                Some(jumper) => Order::Fill { depth: ahead.unsigned_abs(), jumper_id: jumper.id },
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
        self.holes.push(Hole { from, to: psn, jumper: how.place });
        Order::Gap
    }

    fn advance(&mut self, psn: Psn, how: Use) {
        self.next = psn.plus(how.span);
        self.slack = how.slack;
    }

    /// Takes `psn` out of the hole it lies in.
    fn fill(&mut self, psn: Psn) -> Option<Place> {
        let at = self.holes.iter().position(|h| h.holds(psn))?;
        let hole = self.holes.remove(at);
        let after = psn.plus(1);
        if after != hole.to {
            self.holes.insert(at, Hole { from: after, ..hole });
        }
        if psn != hole.from && self.holes.len() < HOLES {
            self.holes.insert(at, Hole { to: psn, ..hole });
        }
        Some(hole.jumper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { id: 7, link: 1, ttl: 64 };
    const ONE: Use = Use { span: 1, slack: 0, may_jump: false, place: HERE };

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
    fn what_one_tap_missed_and_the_next_shows_was_not_missing() {
        let at = |link, ttl| Use { place: Place { id: 9, link, ttl }, ..ONE };
        let shown = |link, ttl| {
            let mut space = PsnSpace::default();
            assert_eq!([10, 12].map(|psn| take(&mut space, psn)), [Order::New, Order::Gap]);
            space.take(Psn::new(11), at(link, ttl))
        };
        assert_eq!(shown(2, 63), Order::Elsewhere);
        let fill = Order::Fill { depth: 2, jumper_id: 7 };
        assert_eq!([shown(1, 64), shown(2, 64)], [fill, fill], "the same link, and a parallel one");
    }

    #[test]
    fn a_read_request_of_unknown_span_may_be_followed_by_a_jump() {
        let mut space = PsnSpace::default();
        space.take(Psn::new(10), Use { slack: 8, ..ONE });
        assert_eq!(take(&mut space, 18), Order::New);
        assert_eq!(take(&mut space, 20), Order::Gap);
    }
}
