//! A packet's turn: its links, its flow, its conversation, its meters.

use capture::{Frame, InterfaceId};

use super::burst::Read;
use super::flows::Route;
use super::links::On;
use super::notes::Hold;
use super::peek::Peek;
use super::rdma::{CNP, Facts, NO_LINK, Sight};
use super::slots;
use super::taps::NO_FEED;
use super::views::Moved;
use super::{MOVES, Worker};
use crate::packet::{MirrorKind, Packet, Pause, Transport};
use crate::tick::{FlowKey, LinkTick, Move};

/// What the conversation made of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub copy: bool,
    /// A copy on the very link that showed the packet before: the mirror doubled it, the link did not carry it twice.
    pub doubled: bool,
    pub repeat: bool,
    pub rewound: u32,
    pub zero_window: bool,
    /// What it adds to the transport counters of its links.
    pub facts: Facts,
}

impl Worker {
    pub(super) fn packet(&mut self, read: &Read<'_>, frame: &Frame<'_>, peek: Option<&Peek>) {
        let packet = &read.packet;
        let at_ns = frame.at_ns;
        let cut = read.cut || packet.mirror.truncated;
        let tap = self.taps.frame(frame.interface.0, &packet.mirror, cut, at_ns);
        if let Transport::Pause(pause) = &packet.transport {
            self.pause(packet, pause, frame.interface, at_ns);
        }
        let Some(key) = read.key else {
            let on = self.resolve(packet, frame.interface);
            self.neighbours(packet, on, at_ns);
            return self.meter(packet, on, at_ns, &Outcome::default());
        };
        let place = self.flows.place(key, read.hash);
        self.settle(place);
        let on = self.route(place, packet, frame.interface, tap);
        let outcome = self.flow(place, packet, on, at_ns);
        self.capture.duplicated += u64::from(outcome.copy);
        if !outcome.doubled {
            self.meter(packet, on, at_ns, &outcome);
        }
        if let Some(peek) = peek {
            self.arm(place, peek, packet);
        }
    }

    /// The links of a packet: those of the flow's last packet, if it came the same way.
    #[inline]
    fn route(&mut self, place: u32, packet: &Packet<'_>, interface: InterfaceId, tap: u32) -> On {
        let macs = (packet.src_mac.unwrap_or_default(), packet.dst_mac.unwrap_or_default());
        let tap = tap_and_way(tap, packet.mirror.egress);
        if let Some(flow) = self.flows.peek(place)
            && flow.route.known
            && flow.route.tap == tap
            && flow.route.macs == macs
        {
            let on = flow.route.on;
            self.links.left_out += u64::from(on.left_out);
            self.links.again(on.speaker, packet.src);
            return on;
        }
        let left_out = self.links.left_out;
        let mut on = self.resolve(packet, interface);
        // A packet that finds no place in the link table is counted as such, each of them; a full table stays so.
        on.left_out = self.links.left_out.saturating_sub(left_out) as u8;
        let known = tap != NO_FEED;
        if let Some(flow) = self.flows.get(place) {
            flow.route = Route { macs, tap, on, known };
        }
        on
    }

    fn resolve(&mut self, packet: &Packet<'_>, interface: InterfaceId) -> On {
        let Some(port) = self.ports.get(usize::from(interface.0)) else { return On::default() };
        let tunnel = matches!(packet.mirror.key.kind, MirrorKind::Vxlan | MirrorKind::Geneve);
        let identity = !tunnel || port.nature.tunnel_is_mirror;
        self.links.resolve(packet, &port.source, port.pcapng_interface, identity)
    }

    /// What the packet adds to the links that carried it.
    fn meter(&mut self, packet: &Packet<'_>, on: On, at_ns: u64, outcome: &Outcome) {
        let facts = if outcome.copy { outcome.facts.of_a_copy() } else { outcome.facts };
        let cnp = matches!(&packet.transport, Transport::Rdma(bth) if bth.opcode == CNP);
        let ecn = packet.ip.map_or(0, |ip| ip.ecn);
        let source = slots::hash(packet.src);
        for link in [on.first, on.second].into_iter().flatten() {
            self.links.carry(link.0 as usize, at_ns, packet.wire_len, ecn, source);
            if cnp {
                self.links.cnp(link);
            }
            let Some(meter) = self.links.meter(link) else { continue };
            let counters = meter.counters();
            count(counters, packet, outcome);
            counters.roce.book(facts, packet.payload_len);
        }
    }

    pub(super) fn pause(&mut self, packet: &Packet<'_>, pause: &Pause, interface: InterfaceId, at_ns: u64) {
        let Some(port) = self.ports.get(usize::from(interface.0)) else { return };
        let Some(link) = self.links.paused_by(packet, &port.source) else { return };
        let speed_bps = self.links.speed_bps(link);
        self.links.hold(link, &Hold::of(at_ns, &pause.quanta, speed_bps));
        let Some(meter) = self.links.meter(link) else { return };
        meter.counters().pfc_frames += 1;
        for (class, quanta) in pause.quanta.iter().enumerate() {
            if let Some(quanta) = quanta {
                meter.pause(at_ns, class, *quanta, speed_bps);
            }
        }
    }

    fn flow(&mut self, place: u32, packet: &Packet<'_>, on: On, at_ns: u64) -> Outcome {
        let sight = sight_of(packet, on, at_ns);
        let outcome = match &packet.transport {
            _ if self.config.sampled => self.sampled(place, packet),
            Transport::Rdma(bth) => self.rdma(place, packet, bth, sight),
            Transport::Tcp(tcp) => self.tcp(place, packet, tcp, sight),
            _ => Outcome::default(),
        };
        if self.flows.peek(place).is_some_and(|flow| !flow.label_closed) {
            self.name(place, packet, at_ns);
        }
        self.count_flow(place, packet, on, at_ns, outcome)
    }

    fn count_flow(&mut self, place: u32, packet: &Packet<'_>, on: On, at_ns: u64, outcome: Outcome) -> Outcome {
        let first = self.flows.touch(place);
        if first
            && let Transport::Rdma(bth) = &packet.transport
            && let Some(rdma) = self.flows.rdma(place)
        {
            rdma.asks(packet, bth);
        }
        let Some(flow) = self.flows.get(place) else { return outcome };
        if first {
            flow.begins(at_ns, packet.ip.map(|ip| ip.dscp));
        }
        flow.passed(at_ns);
        if outcome.copy {
            flow.delta.copies += 1;
        } else {
            flow.counts(packet);
            flow.delta.ce_packets += u32::from(packet.ip.is_some_and(|ip| ip.ecn == 3));
            flow.delta.retransmitted += u32::from(outcome.repeat);
        }
        if let Transport::Rdma(bth) = &packet.transport {
            flow.sport = bth.sport;
        }
        let ttl = packet.ip.map_or(0, |ip| ip.ttl);
        let moved = on.first.and_then(|link| flow.views.saw(link, ttl, at_ns, outcome.copy, outcome.rewound));
        if let Some(moved) = moved {
            let key = flow.key;
            self.moved(key, moved);
        }
        outcome
    }

    fn moved(&mut self, flow: FlowKey, moved: Moved) {
        let Moved { from, to, last_on_from_ns, first_on_to_ns, rewound } = moved;
        if self.moves.len() < MOVES {
            self.moves.push(Move { flow, from, to, last_on_from_ns, first_on_to_ns, rewound_packets: rewound });
        }
    }
}

fn count(link: &mut LinkTick, packet: &Packet<'_>, outcome: &Outcome) {
    link.bso_bad += u64::from(packet.mirror.bso == 3);
    match &packet.transport {
        Transport::Rdma(_) => {
            link.rdma_packets += 1;
            link.rdma_bytes += u64::from(packet.wire_len);
        }
        Transport::Tcp(_) => {
            link.tcp_retransmitted += u64::from(outcome.repeat);
            link.tcp_zero_window += u64::from(outcome.zero_window);
        }
        _ => {}
    }
}

/// The tap, and which way its mirror says that the copy went. Feeds are fewer than 2^17; those not followed have no route to remember.
#[inline]
pub(super) fn tap_and_way(tap: u32, egress: Option<bool>) -> u32 {
    if tap == NO_FEED { tap } else { tap << 2 | egress.map_or(0, |egress| 1 + u32::from(egress)) }
}

/// Where and when a packet was seen.
fn sight_of(packet: &Packet<'_>, on: On, at_ns: u64) -> Sight {
    let link = on.first.and_then(|l| u16::try_from(l.0).ok()).unwrap_or(NO_LINK);
    let (ip_id, ttl) = packet.ip.map_or((0, 0), |ip| (ip.id, ip.ttl));
    Sight { at_ns, link, ip_id, ttl }
}
