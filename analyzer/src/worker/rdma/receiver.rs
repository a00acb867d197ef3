//! What the receiver expects, if nothing is lost between here and it: an RC receiver takes packets in order only, and asks
//! again for the first that it misses (IBTA vol 1, 9.7.5.1.1). What it asks for again although it went by here in its turn
//! was lost after the tap.

use super::space::Use;
use crate::wire::Psn;

/// A receiver as the tap sees it.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    expected: Psn,
    begun: bool,
    slack: u32,
    /// It expects what the sender sends next.
    pub(super) in_step: bool,
    /// What it expected when later packets went by: it will ask for those, even if they come right behind.
    missed: [Option<Psn>; MISSED],
}

/// Requests to send again that may be under way at once.
const MISSED: usize = 4;

impl Receiver {
    /// A packet went by.
    pub fn pass(&mut self, psn: Psn, how: Use) {
        let ahead = psn.distance(self.expected);
        let taken = ahead == 0 || ahead > 0 && (how.may_jump || ahead.unsigned_abs() <= self.slack);
        if taken || !self.begun {
            (self.expected, self.slack, self.begun) = (psn.plus(how.span), how.slack, true);
        } else if ahead > 0 {
            self.misses();
        }
    }

    /// A packet that is expected went by; the common case.
    pub fn step(&mut self, psn: Psn) {
        if self.expected == psn {
            self.expected = psn.plus(1);
            self.slack = 0;
        } else if !self.begun {
            (self.expected, self.begun) = (psn.plus(1), true);
        } else if psn.is_after(self.expected) {
            self.misses();
        }
    }

    fn misses(&mut self) {
        if self.missed[0] != Some(self.expected) {
            self.missed.rotate_right(1);
            self.missed[0] = Some(self.expected);
        }
    }

    /// Packets in order from `next` on change nothing but what it expects, or nothing at all. Notes which.
    pub fn keeps_step(&mut self, next: Psn) -> bool {
        self.in_step = self.begun && self.expected == next;
        self.in_step || self.begun && next.is_after(self.expected) && self.missed[0] == Some(self.expected)
    }

    /// Packets in order went by, up to before `to`; what was acknowledged meanwhile had gone by.
    pub fn went_on(&mut self, to: Psn) {
        if self.in_step {
            (self.expected, self.slack) = (to, 0);
        }
    }

    /// It says that everything up to `psn` arrived.
    pub fn acknowledged(&mut self, psn: Psn) {
        if self.begun && psn.distance(self.expected) >= 0 {
            self.expected = psn.plus(1);
            self.slack = 0;
        }
    }

    /// It asks for `psn` again: did that go by in its turn?
    pub fn asks(&mut self, psn: Psn) -> bool {
        if self.missed.iter_mut().any(|missed| missed.take_if(|m| *m == psn).is_some()) {
            return false;
        }
        let lost = self.begun && psn.is_before(self.expected);
        (self.expected, self.begun, self.slack) = (psn, true, 0);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(receiver: &mut Receiver, psns: &[u32]) {
        for &psn in psns {
            receiver.step(Psn::new(psn));
        }
    }

    #[test]
    fn what_went_by_in_turn_and_is_asked_for_was_lost_behind() {
        let mut receiver = Receiver::default();
        pass(&mut receiver, &[10, 11, 12, 13]);
        assert!(receiver.asks(Psn::new(11)));
        assert!(!receiver.asks(Psn::new(11)), "the same request once more");
        pass(&mut receiver, &[11, 12]);
        assert!(receiver.asks(Psn::new(11)), "lost again");
    }

    #[test]
    fn what_came_out_of_turn_was_thrown_away_and_not_lost() {
        let mut receiver = Receiver::default();
        // 12 is missing here: 13 and 14 are of no use to the receiver.
        pass(&mut receiver, &[10, 11, 13, 14]);
        assert!(!receiver.asks(Psn::new(12)));
        // Sent again, 13 is missing: the first 13 does not count.
        pass(&mut receiver, &[12, 14]);
        assert!(!receiver.asks(Psn::new(13)));
    }

    #[test]
    fn what_came_late_is_asked_for_and_not_lost() {
        let mut receiver = Receiver::default();
        pass(&mut receiver, &[10, 12, 11]);
        assert!(!receiver.asks(Psn::new(11)));
        assert!(receiver.asks(Psn::new(11)), "asked for once more, it did not arrive");
    }
}
