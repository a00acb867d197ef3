//! What a flow does, told by how it goes and not by what it says: encrypted flows have a behaviour too.
//!
//! Documented rules over bounded features (docs/jobs.md, "What other flows do"). Too little evidence is `unknown`.

use std::collections::{BTreeMap, BTreeSet};

use super::flow_table::FlowTotal;
use super::totals::Totals;
use crate::packet::Addr;
use crate::tick::{FlowKey, FlowTick, QpKey};

/// Silence that ends a burst, ns: longer than a tick, for within one only its first and last packet are known.
const BURST_GAP_NS: u64 = 150_000_000;
/// Packets of a conversation below which nothing is said of it.
const LEAST_PACKETS: u64 = 8;
/// From here on a transfer is large.
const BULK_BYTES: u64 = 1 << 20;
/// Mean frame of a flow that fills its packets, bytes.
const FULL_FRAME: u64 = 1_000;
/// Mean frame of a flow that carries little, bytes.
const SMALL_FRAME: u64 = 200;
/// A frame with an empty TCP segment, its options, a tag and a tunnel's headers, bytes.
const BARE_FRAME: u64 = 90;
/// Share of the bytes in one direction above which a conversation is one-sided.
const ONE_SIDED: f64 = 0.9;
/// Bursts that tell a rhythm.
const RHYTHM_BURSTS: u32 = 5;
/// Standard deviation over mean below which a rhythm is regular, and a rate steady.
const REGULAR: f64 = 0.15;
const STEADY: f64 = 0.5;
/// Ticks that tell a stream.
const STREAM_TICKS: u32 = 20;
/// Endpoints tried in vain by one host that make a scan.
const SCAN_ENDPOINTS: usize = 16;
/// Tries in vain at one host that make a flood, and how many a second.
const FLOOD_TRIES: usize = 256;
const FLOOD_RATE: f64 = 1_000.0;
/// Share of the flows to a host that are such tries when it is flooded.
const FLOOD_SHARE: f64 = 0.9;
/// IP protocol numbers: of handshakes, and of all that have ports. Neighbours that ask for an address try nothing.
const TCP: u8 = 6;
const WITH_PORTS: [u8; 3] = [TCP, 17, 132];
/// Packets of one try at most.
const TRY_PACKETS: u64 = 3;
/// Time after which a conversation with hardly a packet is idle, ns.
const IDLE_NS: u64 = 10_000_000_000;
/// Names of storage protocols.
const STORAGE: [&str; 10] =
    ["nvme-tcp", "nvme-rdma", "nfs", "nfs-rdma", "iscsi", "iser", "smb", "smb-direct", "ceph", "lustre"];

/// How a flow went, tick by tick. 48 bytes a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rhythm {
    /// Ticks with packets, and the sum of the squares of their bytes.
    ticks: u32,
    bytes_squared: f64,
    /// Stretches between silences, the start of the newest, and sums of the times from start to start.
    bursts: u32,
    burst_ns: u64,
    stride_ns: f64,
    stride_squared: f64,
}

impl Rhythm {
    /// Of a flow's first tick.
    pub fn begin(tick: &FlowTick) -> Self {
        let bytes = tick.bytes as f64;
        Self { ticks: 1, bytes_squared: bytes * bytes, bursts: 1, burst_ns: tick.first_ns, ..Self::default() }
    }

    /// Adds a tick; `last_ns` is the flow's last packet before it.
    pub fn add(&mut self, tick: &FlowTick, last_ns: u64) {
        let bytes = tick.bytes as f64;
        self.ticks = self.ticks.saturating_add(1);
        self.bytes_squared += bytes * bytes;
        if tick.first_ns.saturating_sub(last_ns) > BURST_GAP_NS {
            let stride = tick.first_ns.saturating_sub(self.burst_ns) as f64;
            self.bursts = self.bursts.saturating_add(1);
            self.burst_ns = tick.first_ns;
            self.stride_ns += stride;
            self.stride_squared += stride * stride;
        }
    }

    fn regular(&self) -> bool {
        self.bursts >= RHYTHM_BURSTS && scatter(self.stride_ns, self.stride_squared, self.bursts - 1) <= REGULAR
    }

    fn steady(&self, bytes: u64) -> bool {
        self.ticks >= STREAM_TICKS && scatter(bytes as f64, self.bytes_squared, self.ticks) <= STEADY
    }
}

/// Standard deviation over mean.
fn scatter(sum: f64, squared: f64, n: u32) -> f64 {
    let n = f64::from(n.max(1));
    let mean = sum / n;
    ((squared / n - mean * mean).max(0.0)).sqrt() / mean.max(f64::MIN_POSITIVE)
}

/// Behaviours of all flows of some totals.
pub struct Behaviours<'a> {
    totals: &'a Totals,
    scanners: BTreeSet<Addr>,
    flooded: BTreeSet<Addr>,
    /// Hosts that train.
    ranks: BTreeSet<Addr>,
}

impl<'a> Behaviours<'a> {
    /// Over everything since the start; `ranks` are the hosts of jobs.
    pub fn of(totals: &'a Totals, ranks: BTreeSet<Addr>) -> Self {
        let mut asked: BTreeMap<Addr, Asked> = BTreeMap::new();
        let mut hit: BTreeMap<Addr, Tries> = BTreeMap::new();
        for flow in totals.flows.iter() {
            let key = &flow.sum.key;
            if key.dst_qp.is_some() || key.dport == 0 || !WITH_PORTS.contains(&key.protocol) {
                continue;
            }
            // Who answers is not who asks.
            let answers = key.sport < key.dport && key.sport < 1_024;
            let in_vain = !answers && is_try(totals, flow);
            if !answers {
                asked.entry(key.src).or_default().add(key, in_vain);
            }
            hit.entry(key.dst).or_default().add(flow, in_vain);
        }
        // Where nothing at all comes for a host, the mirror may not show it: then only handshakes tell.
        let scans = |(host, asked): &(&Addr, &Asked)| asked.scan(hit.contains_key(host));
        let scanners = asked.iter().filter(scans).map(|(host, _)| *host).collect();
        let flooded = hit.iter().filter(|(_, tries)| tries.flood()).map(|(host, _)| *host).collect();
        Self { totals, scanners, flooded, ranks }
    }

    /// What one flow does.
    pub fn told(&self, key: &FlowKey, flow: &FlowTotal) -> &'static str {
        let suspect = self.scanners.contains(&key.src) || self.flooded.contains(&key.dst);
        if suspect && WITH_PORTS.contains(&key.protocol) && is_try(self.totals, flow) {
            return if self.scanners.contains(&key.src) { "scan" } else { "flood" };
        }
        let back = self.back(key);
        let both = Both { flow, back: back.map(|(_, total)| total) };
        if both.packets() < LEAST_PACKETS {
            return "unknown";
        }
        let (heavy, heavy_key) = match back {
            Some((back_key, back)) if back.sum.bytes > flow.sum.bytes => (back, back_key),
            _ => (flow, *key),
        };
        if both.share(heavy) >= ONE_SIDED && heavy.sum.bytes >= BULK_BYTES && mean(heavy) >= FULL_FRAME {
            return self.large(&heavy_key, heavy);
        }
        both.small(heavy)
    }

    /// A large transfer, and where it goes.
    fn large(&self, key: &FlowKey, heavy: &FlowTotal) -> &'static str {
        let storage = heavy.sum.app.is_some_and(|app| STORAGE.contains(&app));
        match (storage, self.ranks.contains(&key.src), self.ranks.contains(&key.dst)) {
            (true, true, false) => "checkpoint_write",
            (true, false, true) => "data_load",
            _ => "bulk",
        }
    }

    fn back(&self, key: &FlowKey) -> Option<(FlowKey, &'a FlowTotal)> {
        let back = way_back(self.totals, key)?;
        Some((back, self.totals.flows.get(&back)?))
    }
}

/// The other direction of a conversation; of a queue pair where the two are known to belong together.
fn way_back(totals: &Totals, key: &FlowKey) -> Option<FlowKey> {
    let back = FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..*key };
    let Some(dst_qp) = key.dst_qp else { return Some(back) };
    let pair = totals.qps.get(&QpKey { src: key.src, dst: key.dst, dst_qp })?;
    Some(FlowKey { sport: key.sport, dport: key.dport, dst_qp: Some(pair.src_qp?), ..back })
}

/// A few packets without an answer, and no answer themselves.
fn is_try(totals: &Totals, flow: &FlowTotal) -> bool {
    flow.sum.packets <= TRY_PACKETS && refused(totals, flow)
}

/// What one host tried: endpoints in vain, and all.
#[derive(Default)]
struct Asked {
    endpoints: BTreeSet<(u8, Addr, u16)>,
    all: usize,
}

impl Asked {
    fn add(&mut self, key: &FlowKey, in_vain: bool) {
        self.all += 1;
        if in_vain && self.endpoints.len() < SCAN_ENDPOINTS * 64 {
            self.endpoints.insert((key.protocol, key.dst, key.dport));
        }
    }

    fn scan(&self, heard: bool) -> bool {
        let sure = self.endpoints.iter().filter(|(protocol, ..)| heard || *protocol == TCP).count();
        sure >= SCAN_ENDPOINTS && sure * 2 >= self.all
    }
}

/// What came for one host: flows, those in vain that no payload named, and when.
#[derive(Default)]
struct Tries {
    all: usize,
    in_vain: usize,
    first_ns: Option<u64>,
    last_ns: u64,
}

impl Tries {
    fn add(&mut self, flow: &FlowTotal, in_vain: bool) {
        self.all += 1;
        // Datagrams of telemetry are not answered either, but have a name.
        if in_vain && flow.sum.engine != "dpi" {
            self.in_vain += 1;
            self.first_ns = Some(self.first_ns.unwrap_or(u64::MAX).min(flow.sum.first_ns));
            self.last_ns = self.last_ns.max(flow.sum.last_ns);
        }
    }

    /// So many, so fast, and hardly anything else: clients that try again and again are slower.
    fn flood(&self) -> bool {
        let span_s = self.last_ns.saturating_sub(self.first_ns.unwrap_or_default()) as f64 / 1e9;
        self.in_vain >= FLOOD_TRIES
            && self.in_vain as f64 >= FLOOD_RATE * span_s
            && self.in_vain as f64 >= FLOOD_SHARE * self.all as f64
    }
}

/// Nothing came back but a few bare packets: resets, or an answer to the handshake again and again.
fn refused(totals: &Totals, flow: &FlowTotal) -> bool {
    let back = way_back(totals, &flow.sum.key).and_then(|back| totals.flows.get(&back));
    let bare = |b: &FlowTotal| b.sum.packets <= 2 * TRY_PACKETS && mean(b) <= BARE_FRAME;
    back.is_none_or(|b| bare(b) && b.sum.first_ns >= flow.sum.first_ns)
}

fn mean(flow: &FlowTotal) -> u64 {
    flow.sum.bytes / flow.sum.packets.max(1)
}

/// A flow and, where it was seen, its other direction.
struct Both<'a> {
    flow: &'a FlowTotal,
    back: Option<&'a FlowTotal>,
}

impl Both<'_> {
    fn packets(&self) -> u64 {
        self.flow.sum.packets + self.back.map_or(0, |b| b.sum.packets)
    }

    fn share(&self, of: &FlowTotal) -> f64 {
        let all = self.flow.sum.bytes + self.back.map_or(0, |b| b.sum.bytes);
        of.sum.bytes as f64 / all.max(1) as f64
    }

    fn lasted_ns(&self) -> u64 {
        let of = |f: &FlowTotal| (f.sum.first_ns, f.sum.last_ns);
        let (first, last) = of(self.flow);
        let (back_first, back_last) = self.back.map_or((first, last), of);
        last.max(back_last) - first.min(back_first)
    }

    /// Anything but a large transfer.
    fn small(&self, heavy: &FlowTotal) -> &'static str {
        let bursts = heavy.rhythm.bursts;
        let carries = |f: &FlowTotal| mean(f) > BARE_FRAME;
        let answered = self.back.is_some_and(carries) && carries(self.flow);
        if heavy.rhythm.regular() && mean(heavy) <= 2 * SMALL_FRAME && self.packets() <= 16 * u64::from(bursts) {
            return "heartbeat";
        }
        if self.lasted_ns() >= IDLE_NS && self.packets() <= self.lasted_ns() / IDLE_NS * 2 {
            return "idle";
        }
        if heavy.rhythm.steady(heavy.sum.bytes) && bursts <= 2 && self.share(heavy) >= ONE_SIDED && carries(heavy) {
            return "streaming";
        }
        let typed = mean(self.flow) <= SMALL_FRAME && self.back.is_some_and(|b| mean(b) <= 2 * SMALL_FRAME);
        if typed && answered && bursts >= RHYTHM_BURSTS {
            return "interactive";
        }
        if answered { "request_response" } else { "unknown" }
    }
}

#[cfg(test)]
mod tests;
