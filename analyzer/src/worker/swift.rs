//! The short way of a packet: where its conversation is plain, only what such packets change is touched.
//! Whatever is not plain goes the long way, after what was kept here has been carried where it belongs.

use capture::Frame;

use super::Worker;
use super::flows::Flow;
use super::links::On;
use super::peek::{Peek, dscp, ecn, same, ttl};
use super::rdma::{ACK, Answer, NO_LINK, Peer, Sight, Way, answer};
use super::slots;
use crate::packet::{Bth, Eth, Packet};
use crate::tick::LinkId;
use crate::wire::{self, Psn};

impl Worker {
    /// Takes a packet the short way; `false` if it must go the long way, and nothing was done.
    #[inline(always)]
    pub(super) fn swift(&mut self, peek: &Peek, id: u32, frame: &Frame<'_>, tap: u32) -> bool {
        let Some(rdma) = self.flows.talks.get(id) else { return false };
        let at_ns = frame.at_ns;
        let hot = &rdma.hot;
        let alike = hot.armed && hot.tap == tap && at_ns >= hot.last_ns && same(&rdma.lasting, &peek.lasting);
        if !alike {
            return false;
        }
        let compare =
            peek.whole && self.config.check_icrc && self.icrc.make(peek.hash, peek.psn, &mut rdma.icrc_suspect);
        if compare && !sound(peek, frame) {
            return false;
        }
        let Some(payload_len) = peek.body_len.checked_sub(wire::extensions_len(peek.opcode)) else { return false };
        if !rdma.middle(peek, payload_len, at_ns) && !self.swift_turn(peek, id, frame, payload_len) {
            return false;
        }
        let Some(rdma) = self.flows.talks.get(id) else { return true };
        if compare {
            rdma.sound();
            rdma.beside.icrc_checked += 1;
        }
        let hot = &mut rdma.hot;
        let first = hot.packets == 0;
        hot.last_ns = at_ns;
        hot.bytes += u64::from(peek.wire_len);
        hot.packets += 1;
        let (links, source, ecn, place) = (hot.links, hot.source, ecn(&rdma.lasting), rdma.place);
        if self.links.shared() {
            self.links.again(rdma.speaker, rdma.key.src);
        }
        for link in links {
            self.links.carry(link.into(), at_ns, peek.wire_len, ecn, source);
        }
        if first
            && self.flows.touch(place)
            && let Some(flow) = self.flows.get(place)
        {
            flow.begins(at_ns, Some(dscp(&peek.lasting)));
            if let Some(rdma) = self.flows.talks.get(id) {
                rdma.asks_as_before(peek, payload_len);
            }
        }
        true
    }

    /// First or last of a message, or an acknowledgement.
    fn swift_turn(&mut self, peek: &Peek, id: u32, frame: &Frame<'_>, payload_len: u32) -> bool {
        let Some(rdma) = self.flows.talks.get(id) else { return false };
        let sight = Sight { at_ns: frame.at_ns, link: rdma.hot.links[0], ip_id: peek.ip_id, ttl: ttl(&peek.lasting) };
        if let Some(op) = rdma.is_turn(peek) {
            let bth = bth_of(peek, frame);
            rdma.turn(&bth, op, payload_len, &sight);
            rdma.messages.take(&mut self.messages, rdma.key, payload_len, &bth, frame.at_ns, false);
            rdma.expect(peek.opcode);
            return true;
        }
        let bth = bth_of(peek, frame);
        let plain = peek.opcode == ACK && answer(bth.eth.syndrome) == Answer::Positive;
        match rdma.peer_id {
            Some(peer) if plain && rdma.is_plain_answer(peek.psn) => self.swift_answer(id, peer, &bth, &sight),
            _ => false,
        }
    }

    /// Everything up to its PSN arrived: what the other direction has sent.
    fn swift_answer(&mut self, id: u32, peer: u32, bth: &Bth, sight: &Sight) -> bool {
        let talks = &mut self.flows.talks;
        let Some((place, links)) = talks.peek(peer).filter(|p| p.hot.armed).map(|p| (p.place, p.hot.links)) else {
            return false;
        };
        let Some(rdma) = talks.get(id) else { return false };
        rdma.delta.opcode(bth.opcode);
        rdma.acknowledge(bth, sight, Peer { known: true, ..Peer::default() });
        let (psn, link) = (Psn::new(bth.psn), Some(links[0]).filter(|&l| l != NO_LINK).map(|l| LinkId(l.into())));
        let Some(peer) = talks.get(peer) else { return true };
        let simple = peer.answers_change_nothing(bth.psn);
        if !simple {
            peer.fold();
        }
        self.acknowledged(place, link, psn, sight.at_ns);
        if !simple && let Some(peer) = self.flows.rdma(place) {
            peer.renew();
        }
        true
    }

    /// Carries what was taken the short way where it belongs; the next packets go the long way.
    pub(super) fn settle(&mut self, place: u32) {
        self.flush(place);
        if let Some(rdma) = self.flows.rdma(place) {
            rdma.hot.armed = false;
        }
    }

    /// Carries what was taken the short way where it belongs.
    pub(super) fn flush(&mut self, place: u32) {
        let Some(id) = self.flows.peek(place).and_then(|f| f.talk) else { return };
        let Some(rdma) = self.flows.talks.get(id).filter(|rdma| rdma.hot.armed) else { return };
        rdma.fold();
        let (hot, beside) = (rdma.hot, rdma.take_beside());
        (rdma.hot.packets, rdma.hot.bytes) = (0, 0);
        if hot.packets == 0 {
            return;
        }
        if let Some(flow) = self.flows.get(place) {
            flow.went_on(hot.packets, hot.bytes, hot.last_ns);
        }
        for link in hot.links {
            self.links.carried(link, hot.packets, hot.bytes, &beside);
        }
    }

    /// Packets like this one may take the short way from now on.
    pub(super) fn arm(&mut self, place: u32, peek: &Peek, packet: &Packet<'_>) {
        let Some(flow) = self.flows.peek(place) else { return };
        let (Some(id), speaker) = (flow.talk, flow.route.on.speaker) else { return };
        let Some(way) = way_of(flow, packet, peek).filter(|_| !self.config.sampled && self.config.short_way) else {
            return;
        };
        if let Some(rdma) = self.flows.talks.get(id) {
            rdma.speaker = speaker;
            rdma.arm(peek, &way);
        }
    }
}

/// How packets of a flow come, if they all come the same way.
fn way_of(flow: &Flow, packet: &Packet<'_>, peek: &Peek) -> Option<Way> {
    let On { first, second, .. } = flow.route.on;
    let plain = flow.route.known
        && flow.route.on.left_out == 0
        && flow.label_closed
        && flow.app != Some("cnp")
        && packet.mirror.bso == 0;
    // Copies do not say under which tag the flow goes.
    let tag = packet.vlan.is_none_or(|id| flow.vlan == Some(id));
    if !plain || !tag || flow.views.only() != Some(first) {
        return None;
    }
    let number = |link: Option<LinkId>| link.map_or(Some(NO_LINK), |l| u16::try_from(l.0).ok());
    Some(Way {
        tap: flow.route.tap,
        links: [number(first)?, number(second)?],
        source: slots::hash(packet.src),
        last_ns: flow.last_ns,
        dscp: dscp(&peek.lasting),
        pcp: packet.vlan.map(|_| packet.pcp),
    })
}

/// Its ICRC is right.
fn sound(peek: &Peek, frame: &Frame<'_>) -> bool {
    let network = frame.bytes.get(peek.network_at..peek.network_at + peek.network_len as usize);
    network.and_then(wire::icrc_ok_v2).is_some_and(|ok| ok)
}

/// What the conversation needs of the base transport header, and the extension headers of writes and acknowledgements.
fn bth_of(peek: &Peek, frame: &Frame<'_>) -> Bth {
    let body = frame.bytes.get(peek.body_at..).unwrap_or_default();
    let mut eth = Eth::default();
    match peek.opcode & 0x1f {
        0x06 | 0x0a | 0x0b if peek.body_len >= 16 => {
            eth.dma_len = body.first_chunk::<16>().map(|h| u32::from_be_bytes([h[12], h[13], h[14], h[15]]));
        }
        0x11 if peek.body_len >= 4 => eth.syndrome = body.first().copied().filter(|_| body.len() >= 4),
        _ => {}
    }
    let dst_qp = (peek.lasting[7] >> 32) as u32 & 0x00ff_ffff;
    Bth { opcode: peek.opcode, psn: peek.psn, ack_req: peek.ack_req, dst_qp, eth, ..Bth::default() }
}
