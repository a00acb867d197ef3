//! The flow table: fixed capacity, counted eviction, one state per direction.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::messages::Messages;
use super::rdma::Rdma;
use super::tcp::TcpState;
use super::views::Views;
use crate::packet::Addr;
use crate::sketch::Sketch;
use crate::tick::FlowKey;

/// What a flow did since the last tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowDelta {
    pub packets: u64,
    pub bytes: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub ce_packets: u64,
    pub retransmitted: u64,
    pub copies: u64,
}

/// One direction of one flow.
#[derive(Debug)]
pub(super) struct Flow {
    pub key: FlowKey,
    pub sport: u16,
    pub vlan: Option<u16>,
    /// Links that show it.
    pub views: Views,
    pub last_ns: u64,
    pub delta: FlowDelta,
    pub touched: bool,
    pub app: Option<&'static str>,
    pub engine: &'static str,
    pub confidence: f32,
    pub host_name: Option<String>,
    pub attrs: Option<std::sync::Arc<[crate::dpi::Attr]>>,
    /// Payload inspection has ended: the label stands.
    pub label_closed: bool,
    pub rtt: Sketch,
    pub rdma: Option<Box<Rdma>>,
    pub messages: Option<Box<Messages>>,
    pub tcp: Option<Box<TcpState>>,
    /// The other direction's place, when known.
    pub reverse: Option<u32>,
}

impl Flow {
    fn new(key: FlowKey) -> Self {
        Self {
            key,
            sport: key.sport,
            vlan: None,
            views: Views::default(),
            last_ns: 0,
            delta: FlowDelta::default(),
            touched: false,
            app: None,
            engine: "none",
            confidence: 0.0,
            host_name: None,
            attrs: None,
            label_closed: key.dst_qp.is_some(),
            rtt: Sketch::default(),
            rdma: None,
            messages: None,
            tcp: None,
            reverse: None,
        }
    }
}

/// Queue-pair directions remembered per pair of hosts, for pairing.
const QPS_PER_HOSTS: usize = 4096;
/// Places looked at to find the oldest when the table is full.
const EVICTION_WINDOW: usize = 16;

/// The table.
#[derive(Debug)]
pub(super) struct Flows {
    places: HashMap<FlowKey, u32, FixedState>,
    flows: Vec<Flow>,
    capacity: usize,
    hand: usize,
    pub evicted: u64,
    /// Places of flows with traffic since the last tick.
    pub touched: Vec<u32>,
    qps: HashMap<(Addr, Addr), Vec<u32>, FixedState>,
}

impl Flows {
    pub fn new(capacity: usize) -> Self {
        Self {
            places: HashMap::default(),
            flows: Vec::new(),
            capacity: capacity.max(EVICTION_WINDOW),
            hand: 0,
            evicted: 0,
            touched: Vec::new(),
            qps: HashMap::default(),
        }
    }

    pub fn get(&mut self, place: u32) -> Option<&mut Flow> {
        self.flows.get_mut(place as usize)
    }

    pub fn peek(&self, place: u32) -> Option<&Flow> {
        self.flows.get(place as usize)
    }

    pub fn find(&self, key: &FlowKey) -> Option<u32> {
        self.places.get(key).copied()
    }

    /// The place of a flow, made if it is new. `None` never happens but for a capacity of 0, which `new` rules out.
    pub fn place(&mut self, key: FlowKey) -> u32 {
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        let place = if self.flows.len() < self.capacity {
            self.flows.push(Flow::new(key));
            (self.flows.len() - 1) as u32
        } else {
            self.evict(key)
        };
        self.places.insert(key, place);
        if key.dst_qp.is_some() {
            let list = self.qps.entry((key.src, key.dst)).or_default();
            if list.len() < QPS_PER_HOSTS {
                list.push(place);
            }
        }
        place
    }

    /// Gives the place of the longest idle of a few flows to a new one. What the old one did since the last tick is in its links' totals.
    fn evict(&mut self, key: FlowKey) -> u32 {
        let window = (0..EVICTION_WINDOW).map(|i| (self.hand + i) % self.capacity);
        let place = window.min_by_key(|&i| self.flows.get(i).map_or(0, |f| f.last_ns)).unwrap_or(0);
        self.hand = (self.hand + EVICTION_WINDOW) % self.capacity;
        self.evicted += 1;
        if let Some(flow) = self.flows.get_mut(place) {
            let old = std::mem::replace(flow, Flow::new(key));
            self.places.remove(&old.key);
            self.touched.retain(|&p| p != place as u32);
            if let Some(list) = self.qps.get_mut(&(old.key.src, old.key.dst)) {
                list.retain(|&p| p != place as u32);
            }
            self.part(&old);
        }
        place as u32
    }

    /// The other direction of one that is gone has no peer any more.
    fn part(&mut self, gone: &Flow) {
        let peer = gone.rdma.as_ref().and_then(|r| r.peer).and_then(|peer| self.get(peer));
        if let Some(rdma) = peer.and_then(|f| f.rdma.as_mut()) {
            rdma.peer = None;
        }
    }

    /// Joins the two directions of a conversation.
    pub fn pair(&mut self, one: u32, other: u32, by: &'static str) {
        for (place, peer) in [(one, other), (other, one)] {
            if let Some(rdma) = self.get(place).and_then(|f| f.rdma.as_mut()) {
                rdma.peer = Some(peer);
                rdma.paired_by = by;
            }
        }
    }

    /// Queue-pair directions from one host to another.
    pub fn qps_between(&self, src: Addr, dst: Addr) -> &[u32] {
        self.qps.get(&(src, dst)).map_or(&[], Vec::as_slice)
    }
}
