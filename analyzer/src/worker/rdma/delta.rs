//! What a direction did since the last tick.

use crate::tick::{RoceCounters, Sign, Witness};

/// Witnesses kept per tick.
const WITNESSES: usize = 8;
/// Witnesses of one kind among them.
const OF_ONE_KIND: usize = 2;

/// What the direction did since the last tick.
#[derive(Clone, Debug, Default)]
pub(in crate::worker) struct RdmaDelta {
    pub opcodes: Vec<(u8, u64)>,
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
        let enough = self.witnesses.iter().filter(|w| w.what == what).count() >= OF_ONE_KIND;
        if self.witnesses.len() < WITNESSES && !enough {
            self.witnesses.push(Witness { at_ns, psn, what });
        }
    }

    pub fn opcode(&mut self, opcode: u8) {
        match self.opcodes.iter_mut().find(|(o, _)| *o == opcode) {
            Some((_, n)) => *n += 1,
            None => self.opcodes.push((opcode, 1)),
        }
    }
}
