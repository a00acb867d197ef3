//! What a direction did since the last tick.

use crate::tick::{RoceCounters, Sign, Witness};

/// Witnesses kept per tick; beyond them the first of a kind still is.
const WITNESSES: usize = 8;
/// Witnesses of one kind among them.
const OF_ONE_KIND: usize = 2;

/// What the direction did since the last tick.
#[derive(Clone, Debug, Default)]
pub(in crate::worker) struct RdmaDelta {
    opcodes: Opcodes,
    pub messages: u64,
    pub message_bytes: u64,
    pub counters: RoceCounters,
    pub naks: [u64; 4],
    pub cnp_packets: u64,
    pub repeats_of_one_psn_max: u32,
    pub inversion_depth_max: u32,
    pub timeout_silence_ns_max: u64,
    pub witnesses: Vec<Witness>,
}

impl RdmaDelta {
    pub fn sign(&mut self, at_ns: u64, psn: u32, what: Sign) {
        let known = self.witnesses.iter().filter(|w| w.what == what).count();
        if known == 0 || known < OF_ONE_KIND && self.witnesses.len() < WITNESSES {
            self.witnesses.push(Witness { at_ns, psn, what });
        }
    }

    #[inline]
    pub fn opcode(&mut self, opcode: u8) {
        self.opcodes.count(opcode);
    }

    /// Packets by opcode, in the order in which they first came.
    pub fn opcodes(&self) -> Vec<(u8, u64)> {
        let few = self.opcodes.few.iter().filter(|(_, n)| *n > 0).map(|&(opcode, n)| (opcode, u64::from(n)));
        few.chain(self.opcodes.more.iter().copied()).collect()
    }
}

/// Opcodes counted in place: a message has three, with their acknowledgements and reads six.
const FEW: usize = 6;

/// Packets by opcode since the last tick.
#[derive(Clone, Debug, Default)]
struct Opcodes {
    few: [(u8, u32); FEW],
    more: Vec<(u8, u64)>,
}

impl Opcodes {
    #[inline]
    fn count(&mut self, opcode: u8) {
        for (known, n) in &mut self.few {
            if *n == 0 || *known == opcode {
                *known = opcode;
                *n = n.saturating_add(1);
                return;
            }
        }
        self.count_more(opcode);
    }

    fn count_more(&mut self, opcode: u8) {
        match self.more.iter_mut().find(|(o, _)| *o == opcode) {
            Some((_, n)) => *n += 1,
            None => self.more.push((opcode, 1)),
        }
    }
}
