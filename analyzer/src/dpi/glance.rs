//! Datagrams of conversations of which nothing is kept: what most of a flood is. Few protocols are asked of them, and what
//! failed just so before is not asked again.

use super::inspector::{Found, Inspector};
use super::mask::Mask;
use super::protocol::{Look, Over, Protocol};
use super::turn::{Turn, bare, ends};

/// Datagrams that are nobody's, after which the label closes: so many, or more where they are short.
const MAX_DATAGRAMS: u8 = 16;
const MORE_DATAGRAMS: u8 = 32;
/// Payload shorter than this teaches little.
const SHORT: usize = 14;
/// Lengths told apart; a longer datagram is long enough for every protocol.
const LENGTHS: usize = 128;
/// Failures remembered.
const FAILURES: usize = 512;

/// Whether nothing more is to be learnt of a conversation whose datagrams were nobody's so far.
pub(super) fn is_enough(turn: &Turn<'_>, looked: u8) -> bool {
    let enough = if turn.payload.len() < SHORT { MORE_DATAGRAMS } else { MAX_DATAGRAMS };
    turn.over == Over::IP || looked >= enough
}

/// Which protocols a datagram could be, by its first byte and its length.
#[derive(Debug)]
pub(super) struct Shapes {
    by_first: Vec<Mask>,
    by_length: Vec<Mask>,
}

impl Shapes {
    pub fn of(protocols: &[&'static Protocol]) -> Self {
        let mut shapes = Self { by_first: vec![Mask::default(); 256], by_length: vec![Mask::default(); LENGTHS + 1] };
        for (index, protocol) in protocols.iter().enumerate().filter(|(_, p)| p.over.meets(Over::UDP)) {
            let shape = protocol.datagrams;
            for byte in shape.first.iter().flat_map(|&(from, to)| from..=to) {
                shapes.by_first.iter_mut().skip(usize::from(byte)).take(1).for_each(|mask| mask.add(index));
            }
            shapes.by_length.iter_mut().skip(shape.least.min(LENGTHS)).for_each(|mask| mask.add(index));
        }
        shapes
    }

    /// Protocols that may say more than no to this payload.
    pub fn of_datagram(&self, payload: &[u8]) -> Mask {
        let first = payload.first().and_then(|b| self.by_first.get(usize::from(*b)));
        let length = self.by_length.get(payload.len().min(LENGTHS));
        first.zip(length).map_or_else(Mask::default, |(first, length)| first.and(length))
    }
}

/// Payloads that were nobody's, by hash: a flood repeats itself.
#[derive(Debug)]
pub(super) struct Failures(Vec<u64>);

impl Default for Failures {
    fn default() -> Self {
        Self(vec![0; FAILURES])
    }
}

impl Failures {
    fn knows(&self, print: u64) -> bool {
        self.0.get(print as usize % FAILURES) == Some(&print)
    }

    fn remember(&mut self, print: u64) {
        if let Some(place) = self.0.get_mut(print as usize % FAILURES) {
            *place = print;
        }
    }
}

/// Everything that probes go by where nothing is kept; `None` for what is too long to be hashed for every packet.
fn print_of(look: &Look<'_>) -> Option<u64> {
    if look.here.len() > LENGTHS {
        return None;
    }
    let same = u64::from(look.src == look.dst) << 1 | u64::from(look.whole);
    let ports = u64::from(look.sport) << 48 | u64::from(look.dport) << 32;
    let start =
        ports | u64::from(look.packets) << 16 | (look.here.len() as u64) << 8 | u64::from(look.over.0) << 4 | same;
    let (words, rest) = look.here.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let hash = words.iter().chain([&last]).fold(start, |hash, word| fold(hash, u64::from_le_bytes(*word)));
    Some(hash | 1)
}

fn fold(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xc2b2_ae3d_27d4_eb4f);
    (product >> 64) as u64 ^ product as u64 ^ word.rotate_left(29)
}

impl Inspector {
    /// What the protocols say of a datagram, where any says more than no.
    pub(super) fn glance(&mut self, turn: &Turn<'_>, packets: u8) -> Option<Found> {
        let first = packets == 1;
        let look = Look { here: turn.payload, from_start: first, packets: packets.into(), ..bare(turn) };
        let print = print_of(&look);
        let announced = first && self.memory.is_announced(ends(&turn.key));
        if !announced && print.is_some_and(|print| self.failures.knows(print)) {
            return None;
        }
        let candidates =
            if turn.over == Over::UDP { self.shapes.of_datagram(turn.payload) } else { self.mask(turn.over) };
        let found = self.ask(&look, None, candidates, Mask::default());
        if announced || found.best.is_some() || !candidates.without(&found.dead).is_empty() {
            return Some(Found { dead: self.dead_after(turn, &found), ..found });
        }
        if let Some(print) = print {
            self.failures.remember(print);
        }
        None
    }

    /// Each datagram stands for itself: what one was not, the next may be.
    fn dead_after(&self, turn: &Turn<'_>, found: &Found) -> Mask {
        if turn.over == Over::UDP { Mask::default() } else { found.dead }
    }
}

#[cfg(test)]
mod tests {
    use crate::dpi::Inspector;
    use crate::dpi::Seen;
    use crate::dpi::proto::testing::datagram;
    use crate::tick::FlowKey;

    fn flood(engine: &mut Inspector, flows: u16, payload: impl Fn(u16) -> Vec<u8>) {
        for port in 0..flows {
            let payload = payload(port);
            let packet = datagram(port, 30_000, &payload);
            let key = FlowKey::of_packet(&packet).unwrap();
            engine.observe(&key, &packet, &mut Seen::default(), None);
        }
    }

    #[test]
    fn a_flood_of_what_is_nobodys_keeps_nothing() {
        let mut engine = Inspector::default();
        flood(&mut engine, 20_000, |_| vec![0; 18]);
        assert_eq!(engine.kept(), 0);
        // Ports are part of what probes go by: each new pair of them is asked about once.
        assert!(engine.probes <= 20_000 * 24, "{} probes", engine.probes);
    }

    #[test]
    fn what_failed_just_so_costs_no_probe() {
        let mut engine = Inspector::default();
        flood(&mut engine, 1, |_| vec![0; 18]);
        let once = engine.probes;
        for _ in 0..1_000 {
            flood(&mut engine, 1, |_| vec![0; 18]);
        }
        assert_eq!(engine.probes, once);
    }

    /// Few protocols can be meant by a first byte and a length.
    #[test]
    fn few_protocols_are_asked_of_any_bytes() {
        let mut engine = Inspector::default();
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        let payloads: Vec<Vec<u8>> = (0..2_000).map(|_| (0..60).map(|_| noise()).collect()).collect();
        flood(&mut engine, 2_000, |port| payloads[usize::from(port)].clone());
        assert!(engine.probes <= 2_000 * 20, "{} probes", engine.probes);
    }
}
