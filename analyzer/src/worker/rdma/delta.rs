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
    pub cnp_dscp: Option<u8>,
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

    /// So many packets of one opcode.
    pub fn opcodes_add(&mut self, opcode: u8, n: u32) {
        self.opcodes.add(opcode, n);
    }

    /// Packets by opcode, ascending.
    pub fn opcodes(&self) -> Vec<(u8, u64)> {
        let few = self.opcodes.few.iter().filter(|(_, n)| *n > 0).map(|&(opcode, n)| (opcode, u64::from(n)));
        let mut all: Vec<_> = few.chain(self.opcodes.more.iter().copied()).collect();
        all.sort_unstable();
        all
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
        self.add(opcode, 1);
    }

    #[inline]
    fn add(&mut self, opcode: u8, by: u32) {
        for (known, n) in &mut self.few {
            if *n == 0 || *known == opcode {
                *known = opcode;
                *n = n.saturating_add(by);
                return;
            }
        }
        self.add_more(opcode, by);
    }

    fn add_more(&mut self, opcode: u8, by: u32) {
        match self.more.iter_mut().find(|(o, _)| *o == opcode) {
            Some((_, n)) => *n += u64::from(by),
            None => self.more.push((opcode, by.into())),
        }
    }
}
