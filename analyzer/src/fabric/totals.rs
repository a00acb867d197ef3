//! Everything since the start, accumulated from ticks.

use std::collections::BTreeMap;

use super::flow_table::FlowTable;
use crate::by_link::MAX_LINKS;
use crate::sketch::Latency;
use crate::tick::{CaptureTick, LinkId, LinkInfo, LinkTick, QpKey, QpTick, TapTick, Tick};
use crate::tick_merge::TapKey;

/// Flows that the table is asked for ahead of their turn.
const AHEAD: usize = 16;

/// One link since the start.
#[derive(Clone, Debug, Default)]
pub struct LinkTotal {
    /// Sums and extremes; its `rtt` stays empty.
    pub sum: LinkTick,
    /// Round trips.
    pub rtt: Latency,
}

/// Everything since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// What was read.
    pub capture: CaptureTick,
    /// Link table, by index.
    pub infos: Vec<LinkInfo>,
    /// By index, as long as `infos`.
    pub links: Vec<LinkTotal>,
    /// Flows.
    pub flows: FlowTable,
    /// Queue-pair directions.
    pub qps: BTreeMap<QpKey, QpTick>,
    /// Taps.
    pub taps: BTreeMap<TapKey, TapTick>,
    /// Flows forgotten because the table was full.
    pub flows_forgotten: u64,
    /// Queue pairs forgotten because the map was full.
    pub qps_forgotten: u64,
    /// Links beyond the table.
    pub links_refused: u64,
    /// Ticks merged into others before they came here.
    pub ticks_widened: u64,
    /// Records of the control plane that found no place in their tick.
    pub control_left_out: u64,
    /// First and last moment with a packet.
    pub span_ns: Option<(u64, u64)>,
}

impl Totals {
    /// Adds a tick, then forgets the longest idle beyond the capacities.
    pub fn add(&mut self, tick: &Tick, flow_capacity: usize, qp_capacity: usize) {
        self.capture.add(&tick.capture);
        self.ticks_widened += u64::from(tick.widened);
        self.control_left_out += tick.control_left_out;
        for info in &tick.new_links {
            self.learn_link(info);
        }
        for link in &tick.links {
            self.add_link(link);
        }
        for (n, flow) in tick.flows.iter().enumerate() {
            if let Some(later) = tick.flows.get(n + AHEAD) {
                self.flows.ask(&later.key);
            }
            self.flows_forgotten += u64::from(self.flows.add(flow, flow_capacity));
        }
        for qp in &tick.qps {
            self.qps.entry(qp.key).and_modify(|sum| sum.add(qp)).or_insert_with(|| qp.clone());
        }
        for tap in &tick.taps {
            let key = (tap.source.clone(), tap.key);
            self.taps.entry(key).and_modify(|sum| sum.add(tap)).or_insert_with(|| tap.clone());
        }
        self.qps_forgotten += forget_idle(&mut self.qps, qp_capacity, |q| q.last_ns);
    }

    /// Link's description.
    pub fn info(&self, link: LinkId) -> Option<&LinkInfo> {
        self.infos.get(link.0 as usize)
    }

    fn learn_link(&mut self, info: &LinkInfo) {
        let index = info.link.0 as usize;
        if index == self.infos.len() && index < MAX_LINKS {
            self.infos.push(info.clone());
            self.links.push(LinkTotal::default());
        } else if self.reach(index) {
            self.infos[index] = info.clone();
        }
    }

    /// Makes the table long enough for an index; a link that its worker has not described yet is named by its number.
    fn reach(&mut self, index: usize) -> bool {
        if index >= MAX_LINKS {
            self.links_refused += 1;
            return false;
        }
        while self.infos.len() <= index {
            self.infos.push(undescribed(LinkId(self.infos.len() as u32)));
            self.links.push(LinkTotal::default());
        }
        true
    }

    fn add_link(&mut self, link: &LinkTick) {
        let index = link.link as usize;
        if !self.reach(index) {
            return;
        }
        let total = &mut self.links[index];
        total.sum.link = link.link;
        total.sum.add_sums(link);
        total.rtt.merge(&link.rtt);
        if link.packets > 0 {
            let (first, last) = self.span_ns.unwrap_or((link.first_ns, link.last_ns));
            self.span_ns = Some((first.min(link.first_ns), last.max(link.last_ns)));
        }
    }
}

fn undescribed(link: LinkId) -> LinkInfo {
    LinkInfo {
        link,
        id: format!("link:{}", link.0),
        name: format!("link {}", link.0),
        from: String::new(),
        to: String::new(),
        speed_bps: None,
        group: None,
        mirror: crate::packet::MirrorKey::default(),
        tap: String::new(),
        reverse: None,
        host: None,
        to_host: false,
    }
}

/// Removes what was idle longest until an eighth of the capacity is free again, so that the sort is paid rarely. Says how many went.
fn forget_idle<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, capacity: usize, last_ns: impl Fn(&V) -> u64) -> u64 {
    if map.len() <= capacity {
        return 0;
    }
    let mut by_age: Vec<(u64, K)> = map.iter().map(|(key, value)| (last_ns(value), *key)).collect();
    by_age.sort_unstable();
    let excess = map.len() - (capacity - capacity / 8);
    for (_, key) in by_age.into_iter().take(excess) {
        map.remove(&key);
    }
    excess as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_are_forgotten_and_counted() {
        let mut map: BTreeMap<u32, u64> = (0..20).map(|i| (i, u64::from(100 - i))).collect();
        assert_eq!(forget_idle(&mut map, 16, |&at| at), 6);
        assert_eq!(map.len(), 14);
        assert_eq!(map.keys().max(), Some(&13));
        assert_eq!(forget_idle(&mut map, 16, |&at| at), 0);
    }

    #[test]
    fn a_link_out_of_bounds_is_refused_and_counted() {
        let mut totals = Totals::default();
        let tick =
            Tick { links: vec![LinkTick { link: u32::MAX, packets: 1, ..LinkTick::default() }], ..Tick::default() };
        totals.add(&tick, 1, 1);
        assert_eq!((totals.links.len(), totals.links_refused), (0, 1));
    }
}
