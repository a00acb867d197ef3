//! Whether the outermost VLAN tag of a tap is the mirror's (RSPAN), learnt from frames where nothing says it.
//!
//! Two stations that talk to each other do so within one VLAN: its id is the same in both directions, and whichever port
//! shows it. An RSPAN tag names the mirrored port instead: the same two addresses, under the same two MAC addresses, show
//! under several ids. One mirrored port alone looks like a VLAN; only the topology file can tell that.

use std::collections::HashMap;

use capture::{Frame, Interface, LinkType};
use foldhash::fast::FixedState;

use super::TapNature;
use crate::packet::{Addr, Packet, Transport};
use crate::wire::{Decoder, TapFormat};

/// Pairs of stations remembered per interface.
const PAIRS: usize = 16_384;
/// Packets under another id than the first of their pair that make it certain: one could be a moved host.
const CERTAIN: u32 = 8;

type Pair = ([u8; 6], [u8; 6], Addr, Addr);

#[derive(Debug, Default)]
struct Tap {
    link_type: Option<LinkType>,
    source: String,
    first_vlan: HashMap<Pair, u16, FixedState>,
    under_another: u32,
    untagged: bool,
}

/// Watches the first frames of every tap.
#[derive(Debug, Default)]
pub struct NatureWatch {
    decoder: Decoder,
    taps: Vec<Tap>,
}

impl NatureWatch {
    /// Makes an interface known, before its first frame.
    pub fn add_interface(&mut self, interface: &Interface) {
        let index = usize::from(interface.id.0);
        if self.taps.len() <= index {
            self.taps.resize_with(index + 1, Tap::default);
        }
        if let Some(tap) = self.taps.get_mut(index) {
            tap.link_type = Some(interface.link_type);
            tap.source.clone_from(&interface.source);
        }
    }

    /// Looks at frames.
    pub fn observe(&mut self, frames: &[Frame<'_>]) {
        for frame in frames {
            let Some(tap) = self.taps.get_mut(usize::from(frame.interface.0)) else { continue };
            let Some(link_type) = tap.link_type else { continue };
            if let Ok(packet) = self.decoder.decode(link_type, TapFormat::default(), frame.bytes, frame.wire_len) {
                tap.packet(&packet);
            }
        }
    }

    /// What the frames say of a tap, by its file or device name.
    pub fn nature(&self, source: &str) -> TapNature {
        let rspan = self.taps.iter().filter(|t| t.source == source).any(Tap::is_rspan);
        TapNature { rspan, ..TapNature::default() }
    }
}

impl Tap {
    fn packet(&mut self, packet: &Packet<'_>) {
        let Some(vlan) = packet.outer_vlan else {
            // What a switch says of itself on its own port is not mirrored.
            let own = matches!(packet.transport, Transport::Lldp | Transport::Lacp | Transport::Pause(_));
            self.untagged |= !own && packet.ip.is_some();
            return;
        };
        let Some(pair) = pair(packet) else { return };
        if self.first_vlan.len() >= PAIRS && !self.first_vlan.contains_key(&pair) {
            return;
        }
        let first = *self.first_vlan.entry(pair).or_insert(vlan);
        self.under_another = self.under_another.saturating_add(u32::from(first != vlan));
    }

    fn is_rspan(&self) -> bool {
        !self.untagged && self.under_another >= CERTAIN
    }
}

/// Both ends, the same for both directions.
fn pair(packet: &Packet<'_>) -> Option<Pair> {
    packet.ip?;
    let (src, dst) = packet.src_mac.zip(packet.dst_mac)?;
    if packet.dst.is_multicast() || dst[0] & 1 == 1 {
        return None;
    }
    let one = (src, packet.src);
    let other = (dst, packet.dst);
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    Some((low.0, high.0, low.1, high.1))
}
