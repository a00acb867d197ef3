//! What each mirror feed delivered and lost by its own account: GRE/ERSPAN sequence numbers (RFC 2890), capture drop counts.

use std::collections::BTreeMap;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::packet::{Addr, Mirror, MirrorKey};
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

#[derive(Debug, Default)]
struct Delta {
    frames: u64,
    lost: u64,
    lost_first_ns: u64,
    lost_last_ns: u64,
    truncated: u64,
}

/// All taps of a worker.
#[derive(Debug, Default)]
pub(super) struct Taps {
    sessions: HashMap<(u16, MirrorKey), Counter, FixedState>,
    tunnels: HashMap<(u16, Option<Addr>), Tunnel, FixedState>,
    deltas: BTreeMap<(u16, MirrorKey), Delta>,
}

/// Mirror sessions followed; more than this are counted as frames but their sequence is not.
const SESSIONS: usize = 65_536;

impl Taps {
    /// A frame came through a tap.
    pub fn frame(&mut self, interface: u16, mirror: &Mirror, truncated: bool, at_ns: u64) {
        let lost = mirror.sequence.map_or(0, |sequence| self.sequence(interface, &mirror.key, sequence));
        if self.deltas.len() >= SESSIONS && !self.deltas.contains_key(&(interface, mirror.key)) {
            return;
        }
        let delta = self.deltas.entry((interface, mirror.key)).or_default();
        delta.frames += 1;
        delta.truncated += u64::from(truncated);
        if lost > 0 {
            delta.lose(lost.unsigned_abs().into(), at_ns);
        } else if lost < 0 {
            // It was counted as lost when the sequence jumped over it; if that was in an earlier tick, it stays counted.
            delta.lost = delta.lost.saturating_sub(1);
        }
    }

    fn sequence(&mut self, interface: u16, key: &MirrorKey, sequence: u32) -> i32 {
        if self.sessions.len() >= SESSIONS && !self.sessions.contains_key(&(interface, *key)) {
            return 0;
        }
        let session = self.sessions.entry((interface, *key)).or_default();
        let continuous = session.continuous;
        let by_session = session.step(sequence);
        let tunnel = self.tunnels.entry((interface, key.source)).or_default();
        tunnel.sessions_continuous += session.continuous - continuous;
        let by_tunnel = tunnel.all.step(sequence);
        if tunnel.all.continuous > tunnel.sessions_continuous { by_tunnel } else { by_session }
    }

    /// The capture says that it lost frames.
    pub fn dropped(&mut self, interface: u16, at_ns: u64, count: u64) {
        self.deltas.entry((interface, MirrorKey::default())).or_default().lose(count, at_ns);
    }

    /// What happened since the last call; `name` gives an interface's file or device.
    pub fn take(&mut self, name: impl Fn(u16) -> String) -> Vec<TapTick> {
        std::mem::take(&mut self.deltas)
            .into_iter()
            .map(|((interface, key), d)| TapTick {
                source: name(interface),
                key,
                frames: d.frames,
                lost: d.lost,
                lost_first_ns: d.lost_first_ns,
                lost_last_ns: d.lost_last_ns,
                truncated: d.truncated,
            })
            .collect()
    }
}

impl Delta {
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
        taps.take(|_| String::new()).iter().map(|t| t.lost).sum()
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
