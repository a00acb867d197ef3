//! The flow table: fixed capacity, counted eviction, one state per direction. What every packet touches stands in the first
//! lines of a flow; what few need stands elsewhere.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::ahead::ask;
use super::conversation::reversed;
use super::index::Index;
use super::links::On;
use super::rdma::{Rdma, TURN_LINES};
use super::talks::Talks;
use super::tcp::TcpState;
use super::views::Views;
use crate::control::WATCHED;
use crate::dpi::Seen;
use crate::packet::{Addr, Packet, Transport};
use crate::sketch::Sketch;
use crate::tick::FlowKey;

/// What a flow did since the last tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowDelta {
    pub bytes: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub packets: u32,
    pub ce_packets: u32,
    pub retransmitted: u32,
    pub copies: u32,
}

/// Where packets of the flow came from the last time, and the links that this means: looked up again only when it changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Route {
    pub macs: ([u8; 6], [u8; 6]),
    /// The tap, and which way its mirror says that the copy went.
    pub tap: u32,
    pub on: On,
    pub known: bool,
}

/// Not a DSCP, which has six bits.
const NO_DSCP: u8 = u8::MAX;
/// Not touched in this tick.
const UNTOUCHED: u32 = u32::MAX;

/// What inspection found, kept apart: most flows are named within few packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub host_name: Option<String>,
    pub attrs: Option<std::sync::Arc<[crate::dpi::Attr]>>,
}

/// One direction of one flow.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Flow {
    pub key: FlowKey,
    pub hash: u32,
    touched_at: u32,
    pub sport: u16,
    pub vlan: Option<u16>,
    /// Payload inspection has ended: the label stands.
    pub label_closed: bool,
    /// Of its first packet in this tick; [`NO_DSCP`] without IP.
    dscp: u8,
    /// Which engine named it, by its place among [`ENGINES`](super::naming::ENGINES).
    pub engine: u8,
    pub seen: Seen,
    pub route: Route,
    pub confidence: f32,
    pub delta: FlowDelta,
    pub last_ns: u64,
    /// Links that show it.
    pub views: Views,
    /// Its conversation, by place among [`Talks`].
    pub talk: Option<u32>,
    pub tcp: Option<Box<TcpState>>,
    /// The other direction's place, if it is in the table; RDMA has [`peer`](super::rdma::Rdma::peer).
    pub reverse: Option<u32>,
    pub app: Option<&'static str>,
    pub found: Option<Box<Found>>,
    rtt: Option<Box<Sketch>>,
}

impl Flow {
    fn new(key: FlowKey, hash: u32) -> Self {
        Self {
            key,
            hash,
            touched_at: UNTOUCHED,
            sport: key.sport,
            vlan: None,
            label_closed: key.dst_qp.is_some(),
            engine: 0,
            seen: Seen::default(),
            dscp: NO_DSCP,
            route: Route::default(),
            delta: FlowDelta::default(),
            last_ns: 0,
            views: Views::default(),
            talk: None,
            tcp: None,
            reverse: None,
            confidence: 0.0,
            app: None,
            found: None,
            rtt: None,
        }
    }

    /// Its first packet in this tick.
    pub fn begins(&mut self, at_ns: u64, dscp: Option<u8>) {
        self.delta.first_ns = at_ns;
        self.dscp = dscp.unwrap_or(NO_DSCP);
    }

    /// DSCP of its first packet in this tick.
    pub fn dscp(&self) -> Option<u8> {
        Some(self.dscp).filter(|&dscp| dscp != NO_DSCP)
    }

    /// The control protocol that it is known as: its label stands, but stays open so that every packet is looked at.
    pub fn watched(&self) -> Option<&'static str> {
        self.app.filter(|name| !self.label_closed && WATCHED.contains(name))
    }

    /// A round trip of this direction's requests.
    pub fn round_trip(&mut self, ns: u64) {
        self.rtt.get_or_insert_default().record(ns);
    }

    /// Round trips since the last call.
    pub fn take_round_trips(&mut self) -> crate::tick::SparseHistogram {
        self.rtt.as_mut().map(|rtt| rtt.take()).unwrap_or_default()
    }

    /// Packets went by in its links' present view, none of them a copy, a repeat or marked.
    pub fn went_on(&mut self, packets: u32, bytes: u64, last_ns: u64) {
        self.delta.packets += packets;
        self.delta.bytes += bytes;
        self.passed(last_ns);
        self.views.went_on(last_ns);
    }

    /// A packet passed.
    pub fn passed(&mut self, at_ns: u64) {
        self.delta.last_ns = self.delta.last_ns.max(at_ns);
        self.last_ns = self.last_ns.max(at_ns);
    }

    /// A packet that is no copy counts.
    pub fn counts(&mut self, packet: &Packet<'_>) {
        self.delta.packets += 1;
        self.delta.bytes += u64::from(packet.wire_len);
        self.vlan = packet.vlan.or(self.vlan);
    }

    /// The tick takes what it did.
    pub fn handed_over(&mut self) -> FlowDelta {
        self.touched_at = UNTOUCHED;
        std::mem::take(&mut self.delta)
    }
}

/// Queue-pair directions remembered per pair of hosts, for pairing.
const QPS_PER_HOSTS: usize = 4096;
/// Places looked at to find the oldest when the table is full.
const EVICTION_WINDOW: usize = 16;

/// The table.
#[derive(Debug)]
pub(super) struct Flows {
    index: Index,
    flows: Vec<Flow>,
    /// RDMA conversations of the flows.
    pub talks: Talks,
    capacity: usize,
    hand: usize,
    pub evicted: u64,
    /// Places of flows with traffic since the last tick; of one evicted since, [`UNTOUCHED`].
    touched: Vec<u32>,
    qps: HashMap<(Addr, Addr), Vec<u32>, FixedState>,
    /// Among several workers: the frame whose turn it is, and by place the frame that began each flow.
    pub births: Option<Births>,
}

/// When flows began, in frames.
#[derive(Debug, Default)]
pub(super) struct Births {
    pub frame: u64,
    by_place: Vec<u64>,
}

impl Births {
    fn note(&mut self, place: u32) {
        if self.by_place.len() <= place as usize {
            self.by_place.resize(place as usize + 1, 0);
        }
        if let Some(at) = self.by_place.get_mut(place as usize) {
            *at = self.frame;
        }
    }

    /// The frame that began the flow at a place.
    pub fn of(&self, place: u32) -> u64 {
        self.by_place.get(place as usize).copied().unwrap_or(0)
    }
}

/// Hash of a key: two multiplications of all of its bytes.
#[inline]
pub(super) fn hash(key: &FlowKey) -> u32 {
    let word = |addr: &Addr| {
        let [a, b, c, d, e, f, g, h, rest @ ..] = addr.0;
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes(rest))
    };
    let ((s0, s1), (d0, d1)) = (word(&key.src), word(&key.dst));
    let ports = u64::from(key.sport) << 48 | u64::from(key.dport) << 32 | u64::from(key.dst_qp.unwrap_or(0));
    fold(s1 ^ s0.rotate_left(21), d1 ^ d0.rotate_left(43), ports, key.protocol)
}

/// Of the words of a key.
#[inline(always)]
pub(super) fn fold(src: u64, dst: u64, ports: u64, protocol: u8) -> u32 {
    let a = multiplied(src ^ 0x9e37_79b9_7f4a_7c15, dst ^ 0xc2b2_ae3d_27d4_eb4f);
    let b = multiplied(a ^ ports, u64::from(protocol) ^ 0x1656_67b1_9e37_79f9);
    (b >> 32) as u32 ^ b as u32
}

#[inline(always)]
fn multiplied(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

impl Flows {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(EVICTION_WINDOW);
        Self {
            index: Index::new(capacity),
            flows: Vec::with_capacity(capacity),
            talks: Talks::default(),
            capacity,
            hand: 0,
            evicted: 0,
            touched: Vec::new(),
            qps: HashMap::default(),
            births: None,
        }
    }

    #[inline]
    pub fn get(&mut self, place: u32) -> Option<&mut Flow> {
        self.flows.get_mut(place as usize)
    }

    #[inline]
    pub fn peek(&self, place: u32) -> Option<&Flow> {
        self.flows.get(place as usize)
    }

    pub fn find(&self, key: &FlowKey) -> Option<u32> {
        self.find_hashed(key, hash(key))
    }

    #[inline]
    fn find_hashed(&self, key: &FlowKey, hash: u32) -> Option<u32> {
        self.index.find(hash, |place| self.peek(place).is_some_and(|f| f.key == *key))
    }

    /// Asks for the slot of the index where a packet with this hash will look first.
    #[inline(always)]
    pub fn ask_slot(&self, hash: u32) {
        self.index.ask(hash);
    }

    /// Asks for the flow that this slot most likely means; gives its place.
    #[inline(always)]
    pub fn ask_flow(&self, hash: u32) -> Option<u32> {
        let place = self.index.guess(hash)?;
        ask(self.peek(place)?, 4);
        Some(place)
    }

    /// Asks for the slot where a new flow will look for its other direction.
    pub fn ask_reverse(&self, key: &FlowKey) {
        if key.dst_qp.is_none() {
            self.index.ask(hash(&reversed(key)));
        }
    }

    /// Asks for its conversation.
    #[inline(always)]
    pub fn ask_conversation(&self, place: u32, packet: &Packet<'_>) {
        match (self.peek(place), &packet.transport) {
            (Some(Flow { talk: Some(talk), .. }), Transport::Rdma(_)) => self.talks.ask(*talk, TURN_LINES),
            (Some(Flow { tcp: Some(tcp), .. }), Transport::Tcp(_)) => ask(&**tcp, TURN_LINES),
            _ => {}
        }
    }

    /// The place of a flow, made if it is new.
    #[inline]
    pub fn place(&mut self, key: FlowKey, hash: u32) -> u32 {
        match self.find_hashed(&key, hash) {
            Some(place) => place,
            None => self.make(key, hash),
        }
    }

    #[cold]
    fn make(&mut self, key: FlowKey, hash: u32) -> u32 {
        let place = if self.flows.len() < self.capacity {
            self.flows.push(Flow::new(key, hash));
            (self.flows.len() - 1) as u32
        } else {
            self.evict(key, hash)
        };
        self.index.insert(hash, place);
        if let Some(births) = &mut self.births {
            births.note(place);
        }
        if key.dst_qp.is_none() {
            self.join_directions(place, &reversed(&key));
        } else {
            let list = self.qps.entry((key.src, key.dst)).or_default();
            if list.len() < QPS_PER_HOSTS {
                list.push(place);
            }
        }
        place
    }

    /// Looked up once, when the second of them begins: each packet would wait for memory to say that there is none.
    fn join_directions(&mut self, place: u32, reverse: &FlowKey) {
        let Some(other) = self.find(reverse) else { return };
        for (one, reverse) in [(place, other), (other, place)] {
            if let Some(flow) = self.get(one) {
                flow.reverse = Some(reverse);
            }
        }
    }

    /// Gives the place of the longest idle of a few flows to a new one. What the old one did since the last tick is in its links' totals.
    fn evict(&mut self, key: FlowKey, hash: u32) -> u32 {
        let window = (0..EVICTION_WINDOW).map(|i| (self.hand + i) % self.capacity);
        let place = window
            .min_by_key(|&i| self.flows.get(i).map_or(0, |f| f.last_ns.max(self.talks.last_ns(f.talk))))
            .unwrap_or(0);
        self.hand = (self.hand + EVICTION_WINDOW) % self.capacity;
        self.evicted += 1;
        if let Some(flow) = self.flows.get_mut(place) {
            let old = std::mem::replace(flow, Flow::new(key, hash));
            self.index.remove(old.hash, place as u32);
            if let Some(entry) = self.touched.get_mut(old.touched_at as usize) {
                *entry = UNTOUCHED;
            }
            if let Some(list) = self.qps.get_mut(&(old.key.src, old.key.dst)) {
                list.retain(|&p| p != place as u32);
            }
            self.part(&old);
        }
        place as u32
    }

    /// Marks a flow as touched in this tick; true the first time.
    #[inline]
    pub fn touch(&mut self, place: u32) -> bool {
        let next = self.touched.len() as u32;
        let Some(flow) = self.flows.get_mut(place as usize) else { return false };
        let first = flow.touched_at == UNTOUCHED;
        if first {
            flow.touched_at = next;
            self.touched.push(place);
        }
        first
    }

    /// Places of the flows touched since the last call, ascending.
    pub fn take_touched(&mut self) -> Vec<u32> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.retain(|&place| place != UNTOUCHED);
        touched.sort_unstable();
        touched
    }

    /// The other direction of one that is gone has no peer any more.
    fn part(&mut self, gone: &Flow) {
        if let Some(other) = gone.reverse.and_then(|other| self.get(other)) {
            other.reverse = None;
        }
        if let Some(talk) = gone.talk {
            self.talks.end(talk);
        }
    }

    /// Joins the two directions of a conversation.
    pub fn pair(&mut self, one: u32, other: u32, by: &'static str) {
        for (place, peer) in [(one, other), (other, one)] {
            let peer_id = self.peek(peer).and_then(|f| f.talk);
            if let Some(rdma) = self.rdma(place) {
                rdma.peer = Some(peer);
                rdma.peer_id = peer_id;
                rdma.paired_by = by;
            }
        }
    }

    /// A flow with its conversation.
    pub fn with_talk(&mut self, place: u32) -> Option<(&mut Flow, Option<&mut Rdma>)> {
        let flow = self.flows.get_mut(place as usize)?;
        let rdma = flow.talk.and_then(|id| self.talks.get(id));
        Some((flow, rdma))
    }

    /// The conversation of a flow.
    pub fn rdma(&mut self, place: u32) -> Option<&mut Rdma> {
        self.talks.get(self.peek(place)?.talk?)
    }

    /// The conversation of a flow, to look at.
    pub fn peek_rdma(&self, place: u32) -> Option<&Rdma> {
        self.talks.peek(self.peek(place)?.talk?)
    }

    /// Queue-pair directions from one host to another.
    pub fn qps_between(&self, src: Addr, dst: Addr) -> &[u32] {
        self.qps.get(&(src, dst)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million flows in at most 300 MB: the flow, and two slots of the index for each.
    #[test]
    fn a_flow_is_small() {
        assert!(size_of::<Flow>() + 4 * size_of::<u64>() <= 300, "{}", size_of::<Flow>());
    }

    #[test]
    fn a_full_table_counts_what_it_gives_up() {
        let mut flows = Flows::new(16);
        let key = |i: u16| FlowKey {
            src: Addr::v4([10, 0, 0, 1]),
            dst: Addr::v4([10, 0, 0, 2]),
            sport: i,
            dport: 9,
            protocol: 17,
            dst_qp: None,
        };
        for i in 0..40 {
            let place = flows.place(key(i), hash(&key(i)));
            flows.touch(place);
        }
        assert_eq!((flows.evicted, flows.take_touched().len()), (24, 16));
        assert_eq!((0..40).filter(|&i| flows.find(&key(i)).is_some()).count(), 16);
    }
}
