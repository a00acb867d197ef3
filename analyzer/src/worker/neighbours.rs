//! Frames between neighbours: they have no network layer, come rarely, and are flows of their own.

use super::Worker;
use super::flows::hash;
use super::links::On;
use crate::control::{self, ControlEvent, Says};
use crate::dpi::link;
use crate::packet::{Addr, Packet, Transport};
use crate::tick::LinkId;

impl Worker {
    /// A frame without network addresses. Its flow is named by its first frame. Links that show it are not alternatives of each other
    /// (one address may speak on all ports of a switch), so that it never moves.
    #[cold]
    pub(super) fn neighbours(&mut self, packet: &Packet<'_>, on: On, at_ns: u64) {
        self.hear(control::frame(packet), packet, on.first, at_ns);
        let Some(key) = link::key_of(packet) else { return };
        let place = self.flows.place(key, hash(&key));
        let first = self.flows.touch(place);
        if self.flows.peek(place).is_some_and(|flow| !flow.label_closed) {
            self.write_label(place, &link::name(&key, packet));
        }
        let Some(flow) = self.flows.get(place) else { return };
        if let Some(link) = on.first {
            flow.views.saw(link, 0, at_ns, true, 0);
        }
        if first {
            flow.begins(at_ns, packet.ip.map(|ip| ip.dscp));
        }
        flow.passed(at_ns);
        flow.counts(packet);
    }

    /// A packet of a flow whose every packet is looked at.
    #[cold]
    pub(super) fn watch(&mut self, name: &str, place: u32, packet: &Packet<'_>, at_ns: u64) {
        let link = self.flows.peek(place).and_then(|f| f.route.on.first);
        self.hear(control::packet(name, packet), packet, link, at_ns);
        if let (Transport::Icmp(0 | 8 | 128 | 129, 0), Some(ip)) = (&packet.transport, packet.ip) {
            let hops = self.control.echo(packet.src, packet.dst, ip.id, ip.ttl);
            self.hear((hops > 0).then_some(Says::Again { hops }), packet, link, at_ns);
        }
    }

    /// Of a sample of packets nothing follows from what is missing: nothing is recorded then.
    fn hear(&mut self, says: Option<Says>, packet: &Packet<'_>, link: Option<LinkId>, at_ns: u64) {
        let Some(says) = says.filter(|_| !self.config.sampled) else { return };
        let src = match &says {
            Says::Owns { mac, .. } | Says::Probes { mac, .. } => Addr::mac(*mac),
            _ => packet.src,
        };
        let (vlan, dst) = (packet.vlan, packet.dst);
        self.control.note(ControlEvent { at_ns, last_ns: at_ns, count: 1, link, vlan, src, dst, says });
    }
}
