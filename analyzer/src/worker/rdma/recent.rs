//! The packets of a direction just seen, to know a copy at another tap, or doubled by the mirror, from a repeat by the sender.

use crate::wire::Psn;
use crate::worker::ahead::ask;

/// Where and how a packet was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::worker) struct Sight {
    /// When.
    pub at_ns: u64,
    /// Link, [`NO_LINK`] if none is known.
    pub link: u16,
    /// IP identification; 0 where there is none or the sender does not use it.
    pub ip_id: u16,
    /// Time to live: less at a tap further on.
    pub ttl: u8,
}

/// No link known.
pub(in crate::worker) const NO_LINK: u16 = u16::MAX;

/// Packets remembered.
const LENGTH: usize = 128;
/// A copy with the same IP identification comes within this time: longer than any queue holds a packet.
const SAME_ID_NS: u64 = 50_000_000;
/// Without identification, a copy comes within this time, if the receiver asked for nothing meanwhile.
const NO_ID_NS: u64 = 1_000_000;
/// Without identification and without seeing the receiver's answers: sooner than a round trip.
const BLIND_NS: u64 = 20_000;
/// Times are kept in units of 1,024 ns: 32 bits hold 73 minutes.
const UNIT_BITS: u32 = 10;

/// One packet, in a quarter of a line of memory.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Entry {
    /// Its PSN, or [`UNUSED`].
    psn: u32,
    at: u32,
    /// The links that showed it: a second copy on one of them was doubled by the mirror.
    links: [u16; 2],
    ip_id: u16,
    ttl: u8,
    repeat: bool,
}

/// No PSN: those have 24 bits.
const UNUSED: u32 = u32::MAX;
const EMPTY: Entry = Entry { psn: UNUSED, at: 0, links: [NO_LINK; 2], ip_id: 0, ttl: 0, repeat: false };

/// What a copy is a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// On a link that showed it already.
    pub doubled: bool,
    /// The packet was a repeat by its sender.
    pub repeat: bool,
}

/// The last packets by PSN.
#[derive(Debug, Default)]
pub(super) struct Recent(Option<Box<[Entry; LENGTH]>>);

impl Recent {
    /// Is this a packet that was seen before? The same PSN, soon after, with the same IP identification (a sender that repeats
    /// a packet gives it a new one). Where identifications are not used: seen further on, or so soon that no sender can have
    /// repeated it. `answers_seen`: the receiver's requests for a repeat would have been seen; `asked`: one was.
    pub fn copied(&mut self, psn: Psn, sight: &Sight, answers_seen: bool, asked: bool) -> Option<Copied> {
        let entry = self.0.as_mut()?.get_mut(psn.get() as usize % LENGTH)?;
        if entry.psn != psn.get() || entry.ip_id != sight.ip_id {
            return None;
        }
        let age_ns = u64::from(units(sight.at_ns).wrapping_sub(entry.at)) << UNIT_BITS;
        let limit_ns = match (sight.ip_id, sight.ttl < entry.ttl) {
            (0, false) if asked => return None,
            (0, false) if answers_seen => NO_ID_NS,
            (0, false) => BLIND_NS,
            _ => SAME_ID_NS,
        };
        if age_ns > limit_ns {
            return None;
        }
        let doubled = entry.links.contains(&sight.link);
        if !doubled {
            entry.links[1] = sight.link;
        }
        Some(Copied { doubled, repeat: entry.repeat })
    }

    /// A packet with this PSN is among them.
    #[inline(always)]
    pub fn holds(&self, psn: Psn) -> bool {
        self.0.as_ref().and_then(|ring| ring.get(psn.get() as usize % LENGTH)).is_some_and(|e| e.psn == psn.get())
    }

    /// Asks memory for the place of a packet with this PSN.
    #[inline(always)]
    pub fn ask(&self, psn: Psn) {
        if let Some(entry) = self.0.as_ref().and_then(|ring| ring.get(psn.get() as usize % LENGTH)) {
            ask(entry, 1);
        }
    }

    /// Remembers a packet.
    #[inline(always)]
    pub fn note(&mut self, psn: Psn, sight: &Sight, repeat: bool) {
        let ring = self.0.get_or_insert_with(|| Box::new([EMPTY; LENGTH]));
        if let Some(entry) = ring.get_mut(psn.get() as usize % LENGTH) {
            let Sight { at_ns, link, ip_id, ttl } = *sight;
            *entry = Entry { psn: psn.get(), at: units(at_ns), links: [link, link], ip_id, ttl, repeat };
        }
    }
}

fn units(at_ns: u64) -> u32 {
    (at_ns >> UNIT_BITS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(at_ns: u64, link: u16, ip_id: u16, ttl: u8) -> Sight {
        Sight { at_ns, link, ip_id, ttl }
    }

    #[test]
    fn the_ip_identification_tells_a_copy_from_a_repeat() {
        let mut recent = Recent::default();
        let psn = Psn::new(9);
        recent.note(psn, &sight(1_000_000, 1, 77, 64), false);
        let copied = |r: &mut Recent, s: Sight| r.copied(psn, &s, true, false);
        assert_eq!(copied(&mut recent, sight(2_000_000, 1, 78, 64)), None);
        let other_link = copied(&mut recent, sight(2_000_000, 2, 77, 64));
        assert_eq!(other_link, Some(Copied { doubled: false, repeat: false }));
        assert_eq!(copied(&mut recent, sight(2_100_000, 2, 77, 64)), Some(Copied { doubled: true, repeat: false }));
        assert_eq!(copied(&mut recent, sight(90_000_000, 1, 77, 64)), None, "too late for a copy");
    }

    #[test]
    fn without_identification_a_repeat_needs_to_be_asked_for_or_time() {
        let mut recent = Recent::default();
        let psn = Psn::new(9);
        recent.note(psn, &sight(0, 1, 0, 64), false);
        assert!(recent.copied(psn, &sight(900_000, 1, 0, 64), true, false).is_some());
        assert!(recent.copied(psn, &sight(900_000, 1, 0, 64), true, true).is_none(), "asked for");
        assert!(recent.copied(psn, &sight(900_000, 1, 0, 64), false, false).is_none(), "answers are not seen");
        assert!(recent.copied(psn, &sight(900_000, 1, 0, 63), false, true).is_some(), "one hop further on");
        assert!(recent.copied(psn, &sight(5_000_000, 1, 0, 64), true, false).is_none());
    }
}
