//! From totals to the report. Same totals, same bytes: every list has a total order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;

use super::FabricConfig;
use super::behaviour::Behaviours;
use super::flow_table::FlowTotal;
use super::names;
use super::totals::Totals;
use crate::packet::MirrorKey;
use crate::policy::Judge;
use crate::report::{Burst, Capture, File, Flow, Link, LinkRoce, MirrorHealth, Naks, Pfc, Qp, Tap};
use crate::tick::{FlowKey, LinkId, LinkInfo, LinkTick, QpTick, RoceCounters, TapTick};

/// 8 bits a byte over a 1 ms bin.
const BPS_OF_1MS: u64 = 8 * 1_000;
/// 8 bits a byte over a 100 us bin.
const BPS_OF_100US: u64 = 8 * 10_000;

/// What was read.
pub fn capture(totals: &Totals, config: &FabricConfig, files: Vec<File>, not_kept: BTreeMap<String, u64>) -> Capture {
    let sum = &totals.capture;
    Capture {
        files,
        packets: sum.frames,
        wire_bytes: sum.wire_bytes,
        captured_bytes: sum.captured_bytes,
        refused: sum.refused.iter().map(|&(reason, count)| (reason.to_owned(), count)).collect(),
        mirror: MirrorHealth {
            lost: totals.taps.values().map(|t| t.lost).sum(),
            duplicated: sum.duplicated,
            truncated: totals.taps.values().map(|t| t.truncated).sum(),
            sampled_one_in: config.sampled_one_in,
        },
        taps: totals.taps.values().map(tap).collect(),
        flows_evicted: sum.flows_evicted + totals.flows_forgotten,
        icrc_unchecked: Some(sum.icrc_unchecked).filter(|&n| n > 0),
        qps_evicted: totals.qps_forgotten,
        links_refused: totals.links_refused,
        ticks_widened: totals.ticks_widened,
        not_kept,
        first_ns: totals.span_ns.map(|s| s.0),
        last_ns: totals.span_ns.map(|s| s.1),
    }
}

fn tap(tap: &TapTick) -> Tap {
    Tap {
        name: names::tap(&tap.source, tap.key),
        mirror: names::mirror(tap.key, &tap.source),
        frames: tap.frames,
        lost: tap.lost,
        truncated: tap.truncated,
    }
}

/// Every link of the table, in its order.
pub fn links(totals: &Totals) -> Vec<Link> {
    let seeing = taps_with_pfc(totals);
    let flows = flows_per_link(totals);
    totals
        .infos
        .iter()
        .zip(&totals.links)
        .map(|(info, total)| Link {
            rtt_ns: total.rtt.quantiles(),
            pfc: pfc(&total.sum, seeing.contains(&(info.tap.as_str(), info.mirror)), info.speed_bps),
            flows: flows.get(&info.link).copied().unwrap_or(0),
            ..link(info, &total.sum)
        })
        .collect()
}

fn link(info: &LinkInfo, sum: &LinkTick) -> Link {
    Link {
        id: info.id.clone(),
        name: info.name.clone(),
        from: info.from.clone(),
        to: info.to.clone(),
        speed_bps: info.speed_bps,
        mirror: names::mirror(info.mirror, &info.tap),
        packets: sum.packets,
        bytes: sum.bytes,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
        ce_packets: sum.ce_packets,
        cnp_packets: sum.cnp_packets,
        roce: roce(sum),
        burst: Burst {
            max_bps_1ms: sum.max_bytes_1ms.saturating_mul(BPS_OF_1MS),
            max_bps_100us: sum.max_bytes_100us.saturating_mul(BPS_OF_100US),
            max_100us_at_ns: sum.max_100us_at_ns,
        },
        // One packet has no silence beside it.
        silent_ns_max: (sum.packets > 1).then_some(sum.silent_ns_max),
        tcp_retransmitted: sum.tcp_retransmitted,
        ..Link::default()
    }
}

/// Mirrors that let PFC through: one frame on any link of the tap proves it.
fn taps_with_pfc(totals: &Totals) -> BTreeSet<(&str, MirrorKey)> {
    let pairs = totals.infos.iter().zip(&totals.links);
    pairs.filter(|(_, t)| t.sum.pfc_frames > 0).map(|(i, _)| (i.tap.as_str(), i.mirror)).collect()
}

/// Quanta are bit times: without the link's speed the time that they hold is not known.
fn pfc(sum: &LinkTick, visible: bool, speed_bps: Option<u64>) -> Pfc {
    Pfc {
        visible: if visible { "yes" } else { "unknown" }.to_owned(),
        frames: sum.pfc_frames,
        paused_ns: (visible && speed_bps.is_some()).then_some(sum.paused_ns),
    }
}

fn flows_per_link(totals: &Totals) -> HashMap<LinkId, u64, FixedState> {
    let mut count: HashMap<LinkId, u64, FixedState> = HashMap::default();
    for link in totals.flows.iter().flat_map(FlowTotal::links) {
        *count.entry(link).or_default() += 1;
    }
    count
}

fn roce(sum: &LinkTick) -> Option<LinkRoce> {
    let c = &sum.roce;
    (sum.rdma_bytes > 0 || *c != RoceCounters::default()).then_some(LinkRoce {
        packets: sum.rdma_packets,
        data_packets: c.data_packets,
        retransmitted: c.retransmitted,
        nak_sequence: c.nak_sequence,
        rnr: c.rnr,
        timeouts: c.timeouts,
        psn_gaps: c.psn_gaps,
        inversions: c.inversions,
        icrc_checked: c.icrc_checked,
        icrc_bad: c.icrc_bad,
        lost_before_tap: c.lost_before_tap,
        lost_after_tap: c.lost_after_tap,
        duplicated: c.duplicated,
    })
}

/// Frames of a neighbour whose host no other packet named have no link.
fn link_id(totals: &Totals, link: LinkId) -> String {
    if link == LinkId(u32::MAX) {
        return "unknown".to_owned();
    }
    totals.info(link).map_or_else(|| format!("link:{}", link.0), |info| info.id.clone())
}

/// The first so many in order: the rest is not sorted.
fn first_of<T, K: Ord>(mut all: Vec<T>, at_most: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    if at_most < all.len() {
        all.select_nth_unstable_by_key(at_most, &key);
        all.truncate(at_most);
    }
    all.sort_unstable_by_key(key);
    all
}

/// The busiest flows, and how many were left out.
pub fn flows(totals: &Totals, behaviours: &Behaviours<'_>, at_most: usize, policy: &Judge) -> (Vec<Flow>, u64) {
    let all: Vec<(Reverse<u64>, FlowKey, &FlowTotal)> =
        totals.flows.iter().map(|f| (Reverse(f.sum.bytes), f.sum.key, f)).collect();
    let left_out = all.len().saturating_sub(at_most) as u64 + totals.flows_forgotten;
    let busiest = first_of(all, at_most, |&(bytes, key, _)| (bytes, key));
    let published = busiest.into_iter().map(|(_, key, f)| {
        let mut published = flow(totals, behaviours, f);
        let tags = policy.tags(&key);
        if !tags.is_empty() {
            published.attrs.insert("tags".to_owned(), tags.join(", "));
        }
        published
    });
    (published.collect(), left_out)
}

fn flow(totals: &Totals, behaviours: &Behaviours<'_>, total: &FlowTotal) -> Flow {
    let sum = &total.sum;
    Flow {
        src: sum.key.src.to_string(),
        sport: sum.sport,
        dst: sum.key.dst.to_string(),
        dport: sum.key.dport,
        l4: names::l4(sum.key.protocol),
        vlan: sum.vlan,
        dst_qp: sum.key.dst_qp,
        link: link_id(totals, sum.link),
        packets: sum.packets,
        bytes: sum.bytes,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
        retransmitted: sum.retransmitted,
        ce_packets: sum.ce_packets,
        app: sum.app.map(str::to_owned),
        engine: sum.engine.to_owned(),
        confidence: sum.confidence,
        behaviour: Some(behaviours.told(&sum.key, total).to_owned()),
        host_name: sum.host_name.clone(),
        attrs: sum.attrs.iter().flat_map(|a| a.iter()).map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        job: None,
        rtt_ns: sum.rtt.quantiles(),
    }
}

/// The busiest queue-pair directions, and how many were left out.
pub fn qps(totals: &Totals, at_most: usize) -> (Vec<Qp>, u64) {
    let mut all: Vec<&QpTick> = totals.qps.values().collect();
    all.sort_by_key(|q| (Reverse(q.bytes), q.key));
    let left_out = all.len().saturating_sub(at_most) as u64 + totals.qps_forgotten;
    (all.into_iter().take(at_most).map(|q| qp(totals, q)).collect(), left_out)
}

fn qp(totals: &Totals, sum: &QpTick) -> Qp {
    let c = &sum.roce;
    Qp {
        link: link_id(totals, sum.link),
        nak: naks(sum),
        opcodes: sum.opcodes.iter().map(|&(code, count)| (names::opcode(code), count)).collect(),
        rtt_ns: sum.rtt.quantiles(),
        psn_gaps: c.psn_gaps,
        retransmitted: c.retransmitted,
        inversions: c.inversions,
        rnr: c.rnr,
        timeouts: c.timeouts,
        icrc_bad: c.icrc_bad,
        icrc_checked: c.icrc_checked,
        lost_before_tap: c.lost_before_tap,
        lost_after_tap: c.lost_after_tap,
        ..qp_identity(sum)
    }
}

fn qp_identity(sum: &QpTick) -> Qp {
    Qp {
        src: sum.key.src.to_string(),
        dst: sum.key.dst.to_string(),
        dst_qp: sum.key.dst_qp,
        src_qp: sum.src_qp,
        paired_by: sum.paired_by.to_owned(),
        transport: sum.transport.to_owned(),
        service: sum.service.map(str::to_owned),
        packets: sum.packets,
        copies: sum.copies,
        messages: sum.messages,
        message_bytes: sum.message_bytes,
        ce_packets: sum.ce_packets,
        cnp_packets: sum.cnp_packets,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
        ..Qp::default()
    }
}

fn naks(sum: &QpTick) -> Naks {
    let [sequence, invalid_request, remote_access, remote_operation] = sum.naks;
    Naks { sequence, invalid_request, remote_access, remote_operation }
}
