//! What each mirror feed delivered and lost by its own account: GRE/ERSPAN sequence numbers (RFC 2890), capture drop counts.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::packet::{Addr, Mirror, MirrorKey, MirrorKind};
use crate::tick::TapTick;

/// A sequence counter and how often it was continuous.
#[derive(Debug, Default)]
struct Counter {
    last: Option<u32>,
    continuous: u64,
}

/// Sessions between the same two ends. Switches count per session or over all of them, and which one shows by itself:
/// of the same frames, the right count is continuous more often.
#[derive(Debug, Default)]
struct Tunnel {
    all: Counter,
    sessions_continuous: u64,
}

/// A jump longer than this is a restart of the counter, not a loss.
const RESTART: i32 = 1 << 20;

impl Counter {
    /// Numbers missing before `sequence`; negative for one that comes late.
    fn step(&mut self, sequence: u32) -> i32 {
        let ahead = self.last.map_or(0, |last| sequence.wrapping_sub(last.wrapping_add(1)) as i32);
        if ahead < 0 && ahead > -RESTART {
            return -1;
        }
        self.last = Some(sequence);
        if ahead == 0 {
            self.continuous += 1;
        }
        if ahead.unsigned_abs() >= RESTART.unsigned_abs() { 0 } else { ahead }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Delta {
    frames: u64,
    lost: u64,
    lost_first_ns: u64,
    lost_last_ns: u64,
    truncated: u64,
}

/// One mirror feed: an interface and a mirror key.
#[derive(Debug)]
struct Feed {
    interface: u16,
    key: MirrorKey,
    delta: Delta,
    session: Counter,
    tunnel: usize,
}

/// All taps of a worker.
#[derive(Debug, Default)]
pub(super) struct Taps {
    feeds: Vec<Feed>,
    places: HashMap<(u16, MirrorKey), u32, FixedState>,
    tunnels: Vec<Tunnel>,
    tunnel_places: HashMap<(u16, Option<Addr>), usize, FixedState>,
    /// The feed without envelope of each interface, once it is known.
    plain: Vec<u32>,
    /// The mirror of the last frame in an envelope, and the place of its feed.
    enveloped: Option<(u16, (u32, u16))>,
    enveloped_at: u32,
    /// Only some frames come here: sequence numbers are followed elsewhere.
    pub in_part: bool,
    /// The feed of the last frame: most often the next one's too.
    last: u32,
}

/// Mirror feeds followed; frames of more are not counted by feed.
const FEEDS: usize = 65_536;
/// The feed of a frame that is not followed.
pub(super) const NO_FEED: u32 = u32::MAX;

impl Taps {
    /// A frame came through a tap; gives the number of its feed.
    #[inline]
    pub fn frame(&mut self, interface: u16, mirror: &Mirror, truncated: bool, at_ns: u64) -> u32 {
        let place = self.place(interface, &mirror.key);
        self.came(place, mirror.sequence, truncated, at_ns)
    }

    /// A frame came through a tap without an envelope; as [`Taps::frame`].
    #[inline(always)]
    pub fn plain(&mut self, interface: u16) -> u32 {
        let place = self.plain.get(usize::from(interface)).copied().unwrap_or(NO_FEED);
        if place != NO_FEED { place } else { self.plain_anew(interface) }
    }

    #[cold]
    fn plain_anew(&mut self, interface: u16) -> u32 {
        let place = self.look_up(interface, &MirrorKey::default());
        if self.plain.len() <= usize::from(interface) {
            self.plain.resize(usize::from(interface) + 1, NO_FEED);
        }
        if let Some(known) = self.plain.get_mut(usize::from(interface)) {
            *known = place;
        }
        place
    }

    /// A frame in an envelope of ERSPAN type III.
    #[inline(always)]
    pub fn enveloped(&mut self, interface: u16, mirror: (u32, u16)) -> u32 {
        if self.enveloped == Some((interface, mirror)) {
            self.enveloped_at
        } else {
            self.enveloped_anew(interface, mirror)
        }
    }

    #[cold]
    fn enveloped_anew(&mut self, interface: u16, mirror: (u32, u16)) -> u32 {
        let key = MirrorKey {
            kind: MirrorKind::Erspan3,
            session: Some(mirror.1.into()),
            source: Some(Addr::v4(mirror.0.to_be_bytes())),
            ..MirrorKey::default()
        };
        self.enveloped_at = self.look_up(interface, &key);
        self.enveloped = Some((interface, mirror));
        self.enveloped_at
    }

    /// Counts a frame of a feed whose place is known; gives that place.
    #[inline(always)]
    pub fn came(&mut self, place: u32, sequence: Option<u32>, truncated: bool, at_ns: u64) -> u32 {
        let lost = sequence.filter(|_| !self.in_part).map_or(0, |sequence| self.sequence(place, sequence));
        let Some(feed) = self.feeds.get_mut(place as usize) else { return NO_FEED };
        let delta = &mut feed.delta;
        delta.frames += 1;
        delta.truncated += u64::from(truncated);
        delta.miss(lost, at_ns);
        place
    }

    /// A frame that another worker counts had this sequence number.
    pub fn sequence_of(&mut self, place: u32, sequence: u32, at_ns: u64) {
        let lost = self.sequence(place, sequence);
        if let Some(feed) = self.feeds.get_mut(place as usize) {
            feed.delta.frames += 1;
            feed.delta.miss(lost, at_ns);
        }
    }

    #[inline]
    fn place(&mut self, interface: u16, key: &MirrorKey) -> u32 {
        let same = |f: &Feed| f.interface == interface && f.key == *key;
        if self.feeds.get(self.last as usize).is_some_and(same) {
            return self.last;
        }
        self.last = self.look_up(interface, key);
        self.last
    }

    /// The number of a feed.
    pub fn look_up(&mut self, interface: u16, key: &MirrorKey) -> u32 {
        if let Some(&place) = self.places.get(&(interface, *key)) {
            return place;
        }
        if self.feeds.len() >= FEEDS {
            return NO_FEED;
        }
        let tunnel = *self.tunnel_places.entry((interface, key.source)).or_insert(self.tunnels.len());
        if tunnel == self.tunnels.len() {
            self.tunnels.push(Tunnel::default());
        }
        let place = self.feeds.len() as u32;
        self.feeds.push(Feed { interface, key: *key, delta: Delta::default(), session: Counter::default(), tunnel });
        self.places.insert((interface, *key), place);
        place
    }

    fn sequence(&mut self, place: u32, sequence: u32) -> i32 {
        let Some(feed) = self.feeds.get_mut(place as usize) else { return 0 };
        let Some(tunnel) = self.tunnels.get_mut(feed.tunnel) else { return 0 };
        let continuous = feed.session.continuous;
        let by_session = feed.session.step(sequence);
        tunnel.sessions_continuous += feed.session.continuous - continuous;
        let by_tunnel = tunnel.all.step(sequence);
        if tunnel.all.continuous > tunnel.sessions_continuous { by_tunnel } else { by_session }
    }

    /// The capture says that it lost frames.
    pub fn dropped(&mut self, interface: u16, at_ns: u64, count: u64) {
        let place = self.look_up(interface, &MirrorKey::default());
        if let Some(feed) = self.feeds.get_mut(place as usize) {
            feed.delta.lose(count, at_ns);
        }
    }

    /// What happened since the last call, in order of the feeds, each with its interface; `name` gives an interface's file or device.
    pub fn take(&mut self, name: impl Fn(u16) -> String) -> Vec<(u16, TapTick)> {
        let active = self.feeds.iter_mut().filter(|f| f.delta.frames + f.delta.lost > 0);
        let mut taken: Vec<(u16, MirrorKey, Delta)> =
            active.map(|f| (f.interface, f.key, std::mem::take(&mut f.delta))).collect();
        taken.sort_unstable_by_key(|&(interface, key, _)| (interface, key));
        let tick = |(interface, key, d): (u16, MirrorKey, Delta)| {
            let tick = TapTick {
                source: name(interface),
                key,
                frames: d.frames,
                lost: d.lost,
                lost_first_ns: d.lost_first_ns,
                lost_last_ns: d.lost_last_ns,
                truncated: d.truncated,
            };
            (interface, tick)
        };
        taken.into_iter().map(tick).collect()
    }
}

impl Delta {
    #[inline(always)]
    fn miss(&mut self, lost: i32, at_ns: u64) {
        if lost > 0 {
            self.lose(lost.unsigned_abs().into(), at_ns);
        } else if lost < 0 {
            // It was counted as lost when the sequence jumped over it; if that was in an earlier tick, it stays counted.
            self.lost = self.lost.saturating_sub(1);
        }
    }

    fn lose(&mut self, count: u64, at_ns: u64) {
        if self.lost == 0 {
            self.lost_first_ns = at_ns;
        }
        self.lost += count;
        self.lost_last_ns = at_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(session: u32, sequence: u32) -> Mirror {
        let key = MirrorKey { session: Some(session), ..MirrorKey::default() };
        Mirror { key, sequence: Some(sequence), ..Mirror::default() }
    }

    fn lost(sequences: &[(u32, u32)]) -> u64 {
        let mut taps = Taps::default();
        for &(session, sequence) in sequences {
            taps.frame(0, &mirror(session, sequence), false, 1);
        }
        taps.take(|_| String::new()).iter().map(|(_, t)| t.lost).sum()
    }

    #[test]
    fn gaps_are_counted_per_session_or_per_tunnel_whichever_is_continuous() {
        assert_eq!(lost(&[(1, 0), (1, 1), (1, 2), (1, 5), (1, 6)]), 2);
        assert_eq!(lost(&[(1, 0), (2, 70), (1, 1), (2, 71), (1, 4), (2, 72)]), 2);
        assert_eq!(lost(&[(1, 0), (1, 1), (1, 2), (2, 3), (1, 4), (2, 5), (2, 6), (1, 7)]), 0);
    }

    #[test]
    fn a_late_copy_is_no_loss_and_a_restart_neither() {
        assert_eq!(lost(&[(1, 0), (1, 2), (1, 1), (1, 3)]), 0);
        assert_eq!(lost(&[(1, 4_000_000), (1, 4_000_001), (1, 0), (1, 1)]), 0);
    }
}
