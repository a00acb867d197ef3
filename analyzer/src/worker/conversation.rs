//! Conversations: both directions of a queue pair, both directions of a TCP connection.

use super::Worker;
use super::rdma::{Answer, CNP, Connection, Facts, Peer, Rdma, Role, Seen, Sight, answer, op};
use super::turn::Outcome;
use crate::packet::{Bth, Packet, Tcp, Transport};
use crate::tick::{FlowKey, LinkId, QpKey};
use crate::wire::{self, Psn};

/// Attempts to find a direction's peer by PSN before it is tried less often.
const EAGER_ATTEMPTS: u32 = 64;
/// Then one attempt in so many.
const LATER_ATTEMPTS: u32 = 64;

impl Worker {
    pub(super) fn rdma(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth, sight: Sight) -> Outcome {
        let Some(id) = self.begin(place, bth) else { return Outcome::default() };
        let icrc = self.compare_icrc(id, packet, bth);
        let talks = &mut self.flows.talks;
        let peer = talks.peek(id).and_then(|r| r.peer_id).and_then(|peer| talks.peek(peer));
        let peer = peer.map_or_else(Peer::default, Rdma::as_peer);
        let Some(rdma) = talks.get(id) else { return Outcome::default() };
        if icrc == Some(false) {
            // A damaged packet may carry any PSN: the receiver drops it, and so do we.
            let facts = rdma.damaged(bth, sight.at_ns);
            return Outcome { facts, ..Outcome::default() };
        }
        let trimmed = rdma.trimmed(packet, bth);
        let mut seen = rdma.take(packet.payload_len, bth, &sight, peer);
        if bth.opcode == CNP {
            rdma.delta.cnp_dscp = packet.ip.map(|ip| ip.dscp);
        }
        if trimmed {
            rdma.cut(bth, sight.at_ns, seen.copy);
            seen.facts.add(Facts::TRIMMED);
        }
        if icrc == Some(true) && !seen.copy {
            rdma.sound();
            seen.facts.add(Facts::ICRC_OK);
        }
        if !seen.copy {
            rdma.messages.take(&mut self.messages, rdma.key, packet.payload_len, bth, sight.at_ns, seen.repeat());
            self.answer(place, packet, bth, &seen, sight.at_ns);
            if is_management(packet, bth) {
                self.manage(place, packet, bth);
            }
        }
        Outcome {
            copy: seen.copy,
            doubled: seen.doubled,
            repeat: seen.repeat(),
            rewound: seen.rewound,
            facts: seen.facts,
            ..Outcome::default()
        }
    }

    fn compare_icrc(&mut self, id: u32, packet: &Packet<'_>, bth: &Bth) -> Option<bool> {
        let rdma = self.flows.talks.get(id).filter(|_| packet.whole && self.config.check_icrc)?;
        let compare = self.icrc.make(rdma.hash, bth.psn, &mut rdma.icrc_suspect);
        compare.then(|| wire::icrc_ok(packet)).flatten()
    }

    /// Of a sample of packets nothing follows from their numbers: what lies between two of them was not copied.
    pub(super) fn sampled(&mut self, place: u32, packet: &Packet<'_>) -> Outcome {
        if let Transport::Rdma(bth) = &packet.transport {
            self.begin(place, bth);
        }
        Outcome::default()
    }

    /// The conversation of a flow, made at its first packet.
    fn begin(&mut self, place: u32, bth: &Bth) -> Option<u32> {
        let flow = self.flows.get(place)?;
        if flow.talk.is_some() {
            if flow.app == Some("cnp") && bth.opcode != CNP {
                flow.app = Some("roce");
            }
            return flow.talk;
        }
        if flow.app.is_none() {
            flow.app = Some(if bth.opcode == CNP { "cnp" } else { "roce" });
            flow.engine = super::naming::DPI;
            flow.confidence = 1.0;
        }
        let key = qp_key(&flow.key);
        let rdma = Rdma::new(bth.opcode, key, flow.hash, place);
        let id = self.flows.talks.begin(rdma);
        self.flows.get(place)?.talk = Some(id);
        if let Some(connection) = self.connections.of(&key) {
            self.connected(place, connection);
        }
        Some(id)
    }

    /// Connection management knows this direction and its reverse.
    fn connected(&mut self, place: u32, connection: Connection) {
        let Some(flow) = self.flows.get(place) else { return };
        let reverse = connection.reverse;
        let key = FlowKey { src: reverse.src, dst: reverse.dst, dst_qp: Some(reverse.dst_qp), ..flow.key };
        if let Some(service) = connection.service {
            flow.app = Some(service);
        }
        if let Some(rdma) = self.flows.rdma(place) {
            rdma.src_qp = Some(reverse.dst_qp);
            rdma.paired_by = "cm";
        }
        if let Some(other) = self.flows.find(&key).filter(|&other| other != place) {
            self.flows.pair(place, other, "cm");
        }
    }

    /// Connection management completed a connection: its directions may have begun already.
    fn manage(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth) {
        if let Some(flow) = self.flows.get(place) {
            flow.app = Some("rdma-cm");
        }
        for key in self.connections.take(packet, bth).into_iter().flatten() {
            let Some(flow) = self.flows.peek(place) else { return };
            let key = FlowKey { src: key.src, dst: key.dst, dst_qp: Some(key.dst_qp), ..flow.key };
            if let (Some(place), Some(connection)) = (self.flows.find(&key), self.connections.of(&qp_key(&key))) {
                self.connected(place, connection);
            }
        }
    }

    /// An acknowledgement or response speaks of the other direction's requests; a repeated read request of its responses.
    fn answer(&mut self, place: u32, packet: &Packet<'_>, bth: &Bth, seen: &Seen, at_ns: u64) {
        let op = op(bth.opcode);
        let psn = Psn::new(bth.psn);
        if !(matches!(op.role, Role::Ack | Role::ReadRequest) || op.role == Role::Response && op.first) {
            return;
        }
        match op.role {
            Role::Ack => {
                self.answered(place, packet, psn, answer(bth.eth.syndrome), at_ns);
                if seen.acknowledged_again {
                    self.acknowledged_twice(place, psn, at_ns);
                }
            }
            Role::Response if op.first => self.answered(place, packet, psn, Answer::Positive, at_ns),
            Role::ReadRequest if seen.reads_again => self.reads_again(place, psn, at_ns),
            _ => {}
        }
        if let Some(peer) = self.flows.peek_rdma(place).and_then(|r| r.peer_id) {
            self.flows.talks.renew(peer);
        }
    }

    fn answered(&mut self, place: u32, packet: &Packet<'_>, psn: Psn, answer: Answer, at_ns: u64) {
        let Some(peer) = self.peer_of(place, packet, psn) else { return };
        let Some(link) = self.flows.peek(peer).map(|flow| flow.views.link()) else { return };
        let Some(rdma) = self.settled(peer) else { return };
        match answer {
            Answer::NotReady => rdma.not_ready(psn),
            Answer::Fatal => {}
            Answer::SequenceError => {
                let lost = rdma.asked_again(psn, at_ns);
                self.book_lost_after(peer, link, lost, at_ns);
            }
            Answer::Positive => self.acknowledged(peer, link, psn, at_ns),
        }
    }

    /// The conversation of the other direction with all that is known of it, to change it.
    fn settled(&mut self, place: u32) -> Option<&mut Rdma> {
        let rdma = self.flows.rdma(place)?;
        rdma.fold();
        Some(rdma)
    }

    pub(super) fn acknowledged(&mut self, peer: u32, link: Option<LinkId>, psn: Psn, at_ns: u64) {
        let Some(rdma) = self.flows.rdma(peer) else { return };
        rdma.messages.acknowledged(&mut self.messages, rdma.key, psn.get(), at_ns);
        if let Some(ns) = rdma.answered(psn, at_ns) {
            if let Some(flow) = self.flows.get(peer) {
                flow.round_trip(ns);
            }
            self.round_trip(peer, link, ns, at_ns);
        }
    }

    fn reads_again(&mut self, place: u32, psn: Psn, at_ns: u64) {
        let Some(peer) = self.flows.peek_rdma(place).and_then(|r| r.peer) else { return };
        let Some(link) = self.flows.peek(peer).map(|flow| flow.views.link()) else { return };
        let lost = self.settled(peer).is_some_and(|rdma| rdma.read_again(psn, at_ns));
        self.book_lost_after(peer, link, lost, at_ns);
    }

    fn acknowledged_twice(&mut self, place: u32, psn: Psn, at_ns: u64) {
        let Some(peer) = self.flows.peek_rdma(place).and_then(|r| r.peer) else { return };
        let Some(link) = self.flows.peek(peer).map(|flow| flow.views.link()) else { return };
        let doubled = self.settled(peer).is_some_and(|rdma| rdma.acknowledged_twice(psn, at_ns));
        self.touch(peer, at_ns);
        if let Some(meter) = link.and_then(|l| self.links.meter(l)).filter(|_| doubled) {
            meter.counters().roce.duplicated += 1;
        }
    }

    pub(super) fn touch(&mut self, place: u32, at_ns: u64) {
        if self.flows.touch(place)
            && let Some(flow) = self.flows.get(place)
        {
            flow.delta.first_ns = at_ns;
            flow.delta.last_ns = flow.delta.last_ns.max(at_ns);
        }
    }

    fn book_lost_after(&mut self, place: u32, link: Option<LinkId>, lost: bool, at_ns: u64) {
        self.touch(place, at_ns);
        if let Some(meter) = link.and_then(|l| self.links.meter(l)) {
            meter.counters().roce.lost_after_tap += u64::from(lost);
        }
    }

    fn round_trip(&mut self, place: u32, link: Option<LinkId>, ns: u64, at_ns: u64) {
        self.touch(place, at_ns);
        if let Some(meter) = link.and_then(|l| self.links.meter(l)) {
            meter.round_trip(ns);
        }
    }

    /// The direction whose requests this direction answers: known, or found by the PSN that it answers.
    fn peer_of(&mut self, place: u32, packet: &Packet<'_>, psn: Psn) -> Option<u32> {
        let own = self.flows.rdma(place)?;
        if let Some(peer) = own.peer {
            return Some(peer);
        }
        own.attempts = own.attempts.wrapping_add(1);
        if own.attempts > EAGER_ATTEMPTS && own.attempts % LATER_ATTEMPTS != 0 {
            return None;
        }
        let candidates = self.flows.qps_between(packet.dst, packet.src);
        let alone = candidates.len() == 1;
        let waits = |&&c: &&u32| self.flows.peek_rdma(c).is_some_and(|r| r.peer.is_none() && r.awaits(psn));
        let mut waiting = candidates.iter().filter(waits);
        let found = *waiting.next()?;
        if waiting.next().is_some() {
            return None;
        }
        let rdma = self.flows.rdma(place)?;
        if !alone && rdma.suspect != Some(found) {
            rdma.suspect = Some(found);
            return None;
        }
        self.flows.pair(place, found, "psn");
        Some(found)
    }

    pub(super) fn tcp(&mut self, place: u32, packet: &Packet<'_>, tcp: &Tcp, sight: Sight) -> Outcome {
        let at_ns = sight.at_ns;
        let Some(flow) = self.flows.get(place) else { return Outcome::default() };
        let segment = flow.tcp.get_or_insert_with(Box::default).take(tcp, packet, &sight);
        let reverse_key = reversed(&flow.key);
        let reverse = flow.reverse;
        if let Some(reverse) = reverse.filter(|_| !segment.copy)
            && let Some(other) = self.flows.get(reverse)
            && other.key == reverse_key
        {
            let link = other.views.link();
            let round_trip = other.tcp.as_mut().and_then(|t| t.acknowledged(tcp, at_ns));
            if let Some(ns) = round_trip {
                other.round_trip(ns);
                self.round_trip(reverse, link, ns, at_ns);
            }
        }
        Outcome {
            copy: segment.copy,
            doubled: segment.doubled,
            repeat: segment.repeat,
            zero_window: segment.zero_window,
            ..Outcome::default()
        }
    }
}

/// A management datagram of the class of connection management.
fn is_management(packet: &Packet<'_>, bth: &Bth) -> bool {
    bth.dst_qp == 1 && packet.payload.get(1) == Some(&0x07)
}

fn qp_key(key: &FlowKey) -> QpKey {
    QpKey { src: key.src, dst: key.dst, dst_qp: key.dst_qp.unwrap_or(0) }
}

pub(super) fn reversed(key: &FlowKey) -> FlowKey {
    FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..*key }
}
