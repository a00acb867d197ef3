//! One PSN space of one queue-pair direction: what is new, repeated, missing, late (IBTA vol 1, 9.7).

/// 24-bit sequence numbers.
pub(super) const PSN_MASK: u32 = 0x00ff_ffff;

/// Signed distance from `b` to `a` in the 24-bit circle.
pub(super) fn psn_distance(a: u32, b: u32) -> i32 {
    ((a.wrapping_sub(b) << 8) as i32) >> 8
}

/// Holes remembered; beyond that the oldest is forgotten.
const HOLES: usize = 16;

/// What a packet is in its PSN space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Next in order, or the first seen.
    New,
    /// New, after a jump over this many PSNs.
    Gap(u32),
    /// Passed before.
    Repeat,
    /// Was missing and is here now; how far behind the newest.
    Fill(u32),
}

/// The state of a PSN space.
#[derive(Debug, Default)]
pub(super) struct PsnTrack {
    next: Option<u32>,
    /// After a read request of unknown span: how far the next PSN may jump.
    slack: u32,
    holes: Vec<(u32, u32)>,
}

impl PsnTrack {
    /// The PSN that would be in order.
    pub fn next(&self) -> Option<u32> {
        self.next
    }

    /// Seen here before?
    pub fn has_seen(&self, psn: u32) -> bool {
        self.next.is_some_and(|next| psn_distance(psn, next) < 0) && !self.in_hole(psn)
    }

    /// Jumped over and not yet seen?
    pub fn in_hole(&self, psn: u32) -> bool {
        self.holes.iter().any(|&(from, to)| psn_distance(psn, from) >= 0 && psn_distance(psn, to) < 0)
    }

    /// Would `psn` be beyond everything seen?
    pub fn is_new(&self, psn: u32) -> bool {
        self.next.is_none_or(|next| psn_distance(psn, next) >= 0)
    }

    /// Takes a packet that uses `span` PSNs; `may_jump`: a forward jump is no gap here; `slack`: see the field.
    pub fn take(&mut self, psn: u32, span: u32, may_jump: bool, slack: u32) -> Order {
        let Some(next) = self.next else {
            self.advance(psn, span, slack);
            return Order::New;
        };
        let ahead = psn_distance(psn, next);
        if ahead < 0 {
            return if self.fill(psn) { Order::Fill(ahead.unsigned_abs()) } else { Order::Repeat };
        }
        let jump = ahead as u32;
        let gap = jump > self.slack && !may_jump;
        self.advance(psn, span, slack);
        if !gap {
            return Order::New;
        }
        if self.holes.len() == HOLES {
            self.holes.remove(0);
        }
        self.holes.push((next, psn));
        Order::Gap(jump)
    }

    fn advance(&mut self, psn: u32, span: u32, slack: u32) {
        self.next = Some(psn.wrapping_add(span) & PSN_MASK);
        self.slack = slack;
    }

    /// Takes `psn` out of the hole it lies in.
    fn fill(&mut self, psn: u32) -> bool {
        let Some(at) =
            self.holes.iter().position(|&(from, to)| psn_distance(psn, from) >= 0 && psn_distance(psn, to) < 0)
        else {
            return false;
        };
        let (from, to) = self.holes.remove(at);
        let after = psn.wrapping_add(1) & PSN_MASK;
        if after != to {
            self.holes.insert(at, (after, to));
        }
        if psn != from && self.holes.len() < HOLES {
            self.holes.insert(at, (from, psn));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_gap_fill_and_repeat_across_the_wrap() {
        let mut track = PsnTrack::default();
        assert_eq!(track.take(0xff_fffe, 1, false, 0), Order::New);
        assert_eq!(track.take(0xff_ffff, 1, false, 0), Order::New);
        assert_eq!(track.take(2, 1, false, 0), Order::Gap(2));
        assert_eq!(track.take(0, 1, false, 0), Order::Fill(3));
        assert_eq!(track.take(0, 1, false, 0), Order::Repeat);
        assert!(track.in_hole(1) && !track.in_hole(0) && track.has_seen(2));
        assert_eq!(track.take(1, 1, false, 0), Order::Fill(2));
        assert_eq!(track.take(3, 1, false, 0), Order::New);
    }

    #[test]
    fn a_read_request_of_unknown_span_may_be_followed_by_a_jump() {
        let mut track = PsnTrack::default();
        track.take(10, 1, false, 8);
        assert_eq!(track.take(18, 1, false, 0), Order::New);
        assert_eq!(track.take(20, 1, false, 0), Order::Gap(1));
    }
}
