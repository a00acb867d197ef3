//! A packet's turn: its links, its flow, its conversation, its meters.

use capture::Frame;

use super::links::On;
use super::rdma::{CNP, Rdma, Role, role};
use super::{MOVES, Worker};
use crate::packet::{Bth, MirrorKind, Packet, Pause, Tcp, Transport};
use crate::tick::{FlowKey, LinkId, LinkTick, Move, QpKey, RoceCounters};
use crate::wire;

/// What the conversation made of a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    copy: bool,
    /// A copy on the very link that showed the packet before: the mirror doubled it, the link did not carry it twice.
    doubled: bool,
    repeat: bool,
    rewound: u32,
    zero_window: bool,
}

impl Worker {
    pub(super) fn packet(&mut self, packet: &Packet<'_>, frame: &Frame<'_>, interface: usize, cut: bool) {
        let Some(port) = self.ports.get(interface) else { return };
        let (tap, nature, pcapng) = (port.source.clone(), port.nature, port.pcapng_interface);
        let tunnel = matches!(packet.mirror.key.kind, MirrorKind::Vxlan | MirrorKind::Geneve);
        let at_ns = frame.at_ns;
        self.taps.frame(frame.interface.0, &packet.mirror, cut || packet.mirror.truncated, at_ns);
        if let Transport::Pause(pause) = &packet.transport {
            return self.pause(packet, pause, &tap, at_ns);
        }
        let on = self.links.resolve(packet, &tap, pcapng, !tunnel || nature.tunnel_is_mirror);
        let before = self.roce_totals(packet);
        let outcome = self.flow(packet, on, at_ns, frame.interface.0);
        if outcome.copy {
            self.capture.duplicated += 1;
        }
        if outcome.doubled {
            return;
        }
        let after = self.roce_totals(packet);
        for link in [on.first, on.second].into_iter().flatten() {
            if let Some(meter) = self.links.meter(link) {
                meter.add(at_ns, u64::from(packet.wire_len));
                let cnp = matches!(&packet.transport, Transport::Rdma(bth) if bth.opcode == CNP);
                let ecn = packet.ip.map_or(0, |ip| ip.ecn);
                meter.slot(at_ns, u64::from(packet.wire_len), packet.src, ecn, cnp);
                count(meter.counters(), packet, &outcome);
            }
        }
        if !outcome.copy {
            self.book_roce(on, &before, &after);
        }
    }

    fn pause(&mut self, packet: &Packet<'_>, pause: &Pause, tap: &str, at_ns: u64) {
        let Some(link) = self.links.paused_by(packet, tap) else { return };
        let speed_bps = self.links.speed_bps(link);
        let Some(meter) = self.links.meter(link) else { return };
        meter.counters().pfc_frames += 1;
        meter.pause_frame(at_ns, &pause.quanta, speed_bps);
        for (class, quanta) in pause.quanta.iter().enumerate() {
            if let Some(quanta) = quanta {
                meter.pause(at_ns, class, *quanta, speed_bps);
            }
        }
    }

    /// The transport counters of this packet's direction so far in this tick: the difference across a packet belongs to its link.
    fn roce_totals(&self, packet: &Packet<'_>) -> RoceCounters {
        let Transport::Rdma(bth) = &packet.transport else { return RoceCounters::default() };
        let place = self.flows.find(&rdma_key(packet, bth));
        place.and_then(|p| self.flows.peek(p)?.rdma.as_ref()).map(|r| r.delta.counters).unwrap_or_default()
    }

    fn book_roce(&mut self, on: On, before: &RoceCounters, after: &RoceCounters) {
        if before == after {
            return;
        }
        for link in [on.first, on.second].into_iter().flatten() {
            if let Some(meter) = self.links.meter(link) {
                meter.counters().roce.add_difference(before, after);
            }
        }
    }

    fn flow(&mut self, packet: &Packet<'_>, on: On, at_ns: u64, interface: u16) -> Outcome {
        let Some(key) = key_of(packet) else { return Outcome::default() };
        let place = self.flows.place(key);
        let view = view_of(packet, on, interface);
        let outcome = match &packet.transport {
            Transport::Rdma(bth) => self.rdma(place, packet, bth, at_ns, view),
            Transport::Tcp(tcp) => self.tcp(place, packet, tcp, at_ns),
            _ => Outcome::default(),
        };
        if self.flows.peek(place).is_some_and(|flow| !flow.label_closed) {
            self.name(place, packet, at_ns);
        }
        self.count_flow(place, packet, on, at_ns, outcome)
    }

    fn count_flow(&mut self, place: u32, packet: &Packet<'_>, on: On, at_ns: u64, mut outcome: Outcome) -> Outcome {
        let Some(flow) = self.flows.get(place) else { return outcome };
        let first = !std::mem::replace(&mut flow.touched, true);
        if first {
            flow.delta.first_ns = at_ns;
        }
        flow.delta.last_ns = flow.delta.last_ns.max(at_ns);
        flow.last_ns = flow.last_ns.max(at_ns);
        if outcome.copy {
            flow.delta.copies += 1;
            outcome.doubled = flow.link == on.first;
        } else {
            flow.delta.packets += 1;
            flow.delta.bytes += u64::from(packet.wire_len);
            flow.delta.ce_packets += u64::from(packet.ip.is_some_and(|ip| ip.ecn == 3));
            flow.delta.retransmitted += u64::from(outcome.repeat);
            flow.vlan = packet.vlan.or(flow.vlan);
        }
        if let Transport::Rdma(bth) = &packet.transport {
            flow.sport = bth.sport;
        }
        let moved = moved(flow.link, flow.link_last_ns, on.first, outcome.copy);
        if !outcome.copy && on.first.is_some() {
            flow.link = on.first;
        }
        if flow.link == on.first {
            flow.link_last_ns = at_ns;
        }
        let key = flow.key;
        if first {
            self.flows.touched.push(place);
        }
        if let (Some((from, to, last_on_from_ns)), true) = (moved, self.moves.len() < MOVES) {
            let rewound_packets = outcome.rewound;
            self.moves.push(Move { flow: key, from, to, last_on_from_ns, first_on_to_ns: at_ns, rewound_packets });
        }
        outcome
    }

    fn rdma(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth, at_ns: u64, view: u32) -> Outcome {
        let icrc = if self.config.check_icrc { wire::icrc_ok(packet) } else { None };
        let peer = self.flows.peek(place).and_then(|f| f.rdma.as_ref()?.peer);
        let peer_pmtu = peer.and_then(|p| self.flows.peek(p)?.rdma.as_ref()).map_or(0, |r| r.pmtu());
        let Some(flow) = self.flows.get(place) else { return Outcome::default() };
        if flow.app.is_none() || flow.app == Some("cnp") && bth.opcode != CNP {
            flow.app = Some(if bth.opcode == CNP { "cnp" } else { "roce" });
            flow.engine = "dpi";
            flow.confidence = 1.0;
        }
        let rdma = flow.rdma.get_or_insert_with(|| Box::new(Rdma::new(bth.opcode)));
        if icrc == Some(false) {
            // A damaged packet may carry any PSN: the receiver drops it, and so do we.
            rdma.damaged(bth, at_ns);
            return Outcome::default();
        }
        if icrc == Some(true) {
            rdma.icrc(true, bth.psn, at_ns);
        }
        let seen = rdma.take(packet, bth, at_ns, view, peer_pmtu);
        if !seen.copy {
            let key = qp_key(&flow.key);
            let messages = flow.messages.get_or_insert_with(Box::default);
            messages.take(&mut self.messages, key, packet, bth, at_ns, seen.repeat);
            self.answer(place, packet, bth, at_ns);
        }
        Outcome { copy: seen.copy, repeat: seen.repeat, rewound: seen.rewound, ..Outcome::default() }
    }

    /// An acknowledgement or response speaks of the other direction's requests.
    fn answer(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth, at_ns: u64) {
        let answers = match role(bth.opcode) {
            Role::Ack => true,
            Role::Response { first, .. } => first,
            _ => false,
        };
        if !answers {
            return;
        }
        let Some(peer) = self.peer_of(place, packet, bth) else { return };
        let Some(flow) = self.flows.get(peer) else { return };
        let link = flow.link;
        let Some(rdma) = flow.rdma.as_mut() else { return };
        let syndrome = bth.eth.syndrome.filter(|_| role(bth.opcode) == Role::Ack).unwrap_or(0);
        match syndrome >> 5 {
            1 => rdma.not_ready(bth.psn),
            3 if syndrome & 0x1f == 0 => {
                let lost = rdma.delta.counters.lost_after_tap;
                rdma.asked_again(bth.psn, at_ns);
                let more = rdma.delta.counters.lost_after_tap - lost;
                self.book_lost_after(peer, link, more, at_ns);
            }
            3 => {}
            _ => {
                if let Some(messages) = flow.messages.as_mut() {
                    messages.acknowledged(&mut self.messages, qp_key(&flow.key), bth.psn, at_ns);
                }
                if let Some(ns) = rdma.answered(bth.psn, at_ns) {
                    flow.rtt.record(ns);
                    self.round_trip(peer, link, ns, at_ns);
                }
            }
        }
    }

    pub(super) fn touch(&mut self, place: u32, at_ns: u64) {
        if let Some(flow) = self.flows.get(place)
            && !std::mem::replace(&mut flow.touched, true)
        {
            flow.delta.first_ns = at_ns;
            flow.delta.last_ns = flow.delta.last_ns.max(at_ns);
            self.flows.touched.push(place);
        }
    }

    fn book_lost_after(&mut self, place: u32, link: Option<LinkId>, lost: u64, at_ns: u64) {
        self.touch(place, at_ns);
        if let Some(meter) = link.and_then(|l| self.links.meter(l)) {
            meter.counters().roce.lost_after_tap += lost;
        }
    }

    fn round_trip(&mut self, place: u32, link: Option<LinkId>, ns: u64, at_ns: u64) {
        self.touch(place, at_ns);
        if let Some(meter) = link.and_then(|l| self.links.meter(l)) {
            meter.round_trip(ns);
        }
    }

    /// The direction whose requests this direction answers: known, or found by the PSN that it answers.
    fn peer_of(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth) -> Option<u32> {
        let own = self.flows.peek(place)?;
        if let Some(peer) = own.rdma.as_ref()?.peer {
            return Some(peer);
        }
        let candidates = self.flows.qps_between(packet.dst, packet.src);
        let alone = candidates.len() == 1;
        let waits = |&&c: &&u32| {
            let rdma = self.flows.peek(c).and_then(|f| f.rdma.as_ref());
            rdma.is_some_and(|r| r.peer.is_none() && r.awaits(bth.psn))
        };
        let mut waiting = candidates.iter().filter(waits);
        let found = *waiting.next()?;
        if waiting.next().is_some() {
            return None;
        }
        let rdma = self.flows.get(place)?.rdma.as_mut()?;
        if !alone && rdma.suspect != Some(found) {
            rdma.suspect = Some(found);
            return None;
        }
        for (a, b) in [(place, found), (found, place)] {
            if let Some(rdma) = self.flows.get(a).and_then(|f| f.rdma.as_mut()) {
                rdma.peer = Some(b);
                rdma.paired_by = "psn";
            }
        }
        Some(found)
    }

    fn tcp(&mut self, place: u32, packet: &Packet<'_>, tcp: &Tcp, at_ns: u64) -> Outcome {
        let Some(flow) = self.flows.get(place) else { return Outcome::default() };
        let segment = flow.tcp.get_or_insert_with(Box::default).take(tcp, packet, at_ns);
        let reverse_key = reversed(&flow.key);
        let known = flow.reverse;
        let reverse = known.or_else(|| self.flows.find(&reverse_key));
        if let Some(reverse) = reverse.filter(|_| !segment.copy)
            && let Some(other) = self.flows.get(reverse)
            && other.key == reverse_key
        {
            let link = other.link;
            let round_trip = other.tcp.as_mut().and_then(|t| t.acknowledged(tcp, at_ns));
            if let Some(ns) = round_trip {
                other.rtt.record(ns);
                self.round_trip(reverse, link, ns, at_ns);
            }
        }
        Outcome { copy: segment.copy, repeat: segment.repeat, zero_window: segment.zero_window, ..Outcome::default() }
    }
}

/// From which link to which, and when it was last on the old one. Copies at other taps are no moves.
fn moved(from: Option<LinkId>, last_ns: u64, to: Option<LinkId>, copy: bool) -> Option<(LinkId, LinkId, u64)> {
    match (from, to) {
        (Some(from), Some(to)) if from != to && !copy => Some((from, to, last_ns)),
        _ => None,
    }
}

fn count(link: &mut LinkTick, packet: &Packet<'_>, outcome: &Outcome) {
    if let Some(ip) = packet.ip {
        link.ect_packets += u64::from(ip.ecn != 0);
        link.ce_packets += u64::from(ip.ecn == 3);
    }
    link.bso_bad += u64::from(packet.mirror.bso == 3);
    match &packet.transport {
        Transport::Rdma(bth) => {
            link.rdma_bytes += u64::from(packet.wire_len);
            link.cnp_packets += u64::from(bth.opcode == CNP);
        }
        Transport::Tcp(_) => {
            link.tcp_retransmitted += u64::from(outcome.repeat);
            link.tcp_zero_window += u64::from(outcome.zero_window);
        }
        _ => {}
    }
}

/// Where a packet was seen: the same packet shows at several places under different views.
fn view_of(packet: &Packet<'_>, on: On, interface: u16) -> u32 {
    let link = on.first.map_or(0xffff, |l| l.0);
    let ttl = packet.ip.map_or(0, |ip| u32::from(ip.ttl));
    (link << 16) ^ (u32::from(interface) << 8) ^ ttl
}

fn rdma_key(packet: &Packet<'_>, bth: &Bth) -> FlowKey {
    let protocol = packet.ip.map_or(0, |ip| ip.protocol);
    FlowKey { src: packet.src, dst: packet.dst, sport: 0, dport: bth.dport, protocol, dst_qp: Some(bth.dst_qp) }
}

fn key_of(packet: &Packet<'_>) -> Option<FlowKey> {
    let (sport, dport) = match &packet.transport {
        Transport::Rdma(bth) => return Some(rdma_key(packet, bth)),
        Transport::Tcp(tcp) => (tcp.sport, tcp.dport),
        Transport::Udp(s, d) | Transport::Sctp(s, d) => (*s, *d),
        _ => (0, 0),
    };
    let protocol = packet.ip.map(|ip| ip.protocol)?;
    Some(FlowKey { src: packet.src, dst: packet.dst, sport, dport, protocol, dst_qp: None })
}

fn qp_key(key: &FlowKey) -> QpKey {
    QpKey { src: key.src, dst: key.dst, dst_qp: key.dst_qp.unwrap_or(0) }
}

pub(super) fn reversed(key: &FlowKey) -> FlowKey {
    FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..*key }
}
