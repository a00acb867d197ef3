//! Frames between neighbours: they have no network layer, come rarely, and are flows of their own.

use super::Worker;
use super::flows::hash;
use super::links::On;
use crate::dpi::link;
use crate::packet::Packet;

impl Worker {
    /// A frame without network addresses. Its flow is named by its first frame. Links that show it are not alternatives of each other
    /// (one address may speak on all ports of a switch), so that it never moves.
    #[cold]
    pub(super) fn neighbours(&mut self, packet: &Packet<'_>, on: On, at_ns: u64) {
        let Some(key) = link::key_of(packet) else { return };
        let place = self.flows.place(key, hash(&key));
        let first = self.flows.touch(place);
        if self.flows.peek(place).is_some_and(|flow| !flow.label_closed) {
            self.write_label(place, &link::name(&key, packet));
        }
        let Some(flow) = self.flows.get(place) else { return };
        if let Some(link) = on.first {
            flow.views.saw(link, at_ns, true, 0);
        }
        if first {
            flow.delta.first_ns = at_ns;
        }
        flow.delta.last_ns = flow.delta.last_ns.max(at_ns);
        flow.last_ns = flow.last_ns.max(at_ns);
        flow.delta.packets += 1;
        flow.delta.bytes += u64::from(packet.wire_len);
        flow.vlan = packet.vlan.or(flow.vlan);
    }
}
