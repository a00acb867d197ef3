//! Flows and queue pairs of many ticks added up.

use std::collections::BTreeMap;

use analyzer::report::{Flow, Qp};
use analyzer::tick::{FlowKey, FlowTick, QpKey, QpTick, SparseHistogram};

use crate::Facts;
use crate::memory::link_id;
use crate::rows::{l4_name, naks, opcode_name};

#[derive(Default)]
struct FlowSum {
    flow: Flow,
    rtt: SparseHistogram,
}

/// Flows by identity.
pub(crate) struct FlowSums;

impl FlowSums {
    /// One row per flow, in order of the key.
    pub fn of(facts: &[Facts]) -> impl Iterator<Item = Flow> {
        let mut sums: BTreeMap<FlowKey, FlowSum> = BTreeMap::new();
        for f in facts {
            for tick in &f.tick.flows {
                add_flow(sums.entry(tick.key).or_default(), tick, link_id(f, tick.link.0));
            }
        }
        sums.into_iter().map(|(key, sum)| Flow {
            src: key.src.to_string(),
            dst: key.dst.to_string(),
            dport: key.dport,
            dst_qp: key.dst_qp,
            l4: l4_name(key.protocol),
            rtt_ns: sum.rtt.quantiles(),
            ..sum.flow
        })
    }
}

fn add_flow(sum: &mut FlowSum, tick: &FlowTick, link: &str) {
    let flow = &mut sum.flow;
    let empty = flow.packets == 0;
    // Naming follows the newest tick that had a name.
    if empty || (tick.app.is_some(), tick.last_ns) >= (flow.app.is_some(), flow.last_ns) {
        flow.app = tick.app.map(str::to_owned);
        flow.engine = tick.engine.to_owned();
        flow.confidence = tick.confidence;
    }
    if empty || tick.last_ns >= flow.last_ns {
        flow.sport = tick.sport;
        flow.vlan = tick.vlan.or(flow.vlan);
        flow.host_name = tick.host_name.clone().or(flow.host_name.take());
        flow.link = link.to_owned();
        flow.last_ns = tick.last_ns;
    }
    flow.first_ns = if empty { tick.first_ns } else { flow.first_ns.min(tick.first_ns) };
    flow.packets += tick.packets;
    flow.bytes += tick.bytes;
    flow.retransmitted += tick.retransmitted;
    flow.ce_packets += tick.ce_packets;
    sum.rtt.merge(&tick.rtt);
}

#[derive(Default)]
struct QpSum {
    qp: Qp,
    naks: [u64; 4],
    opcodes: BTreeMap<u8, u64>,
    rtt: SparseHistogram,
}

/// Queue pairs by identity.
pub(crate) struct QpSums;

impl QpSums {
    /// One row per queue-pair direction, in order of the key.
    pub fn of(facts: &[Facts]) -> impl Iterator<Item = Qp> {
        let mut sums: BTreeMap<QpKey, QpSum> = BTreeMap::new();
        for f in facts {
            for tick in &f.tick.qps {
                let sum = sums.entry(tick.key).or_default();
                identify(&mut sum.qp, tick, link_id(f, tick.link.0));
                add_qp(sum, tick);
            }
        }
        sums.into_iter().map(|(key, sum)| Qp {
            src: key.src.to_string(),
            dst: key.dst.to_string(),
            dst_qp: key.dst_qp,
            nak: naks(sum.naks),
            opcodes: sum.opcodes.into_iter().map(|(op, n)| (opcode_name(op), n)).collect(),
            rtt_ns: sum.rtt.quantiles(),
            ..sum.qp
        })
    }
}

/// What is said of a queue pair is what its newest tick says.
fn identify(qp: &mut Qp, tick: &QpTick, link: &str) {
    let empty = qp.packets == 0;
    qp.first_ns = if empty { tick.first_ns } else { qp.first_ns.min(tick.first_ns) };
    if empty || tick.last_ns >= qp.last_ns {
        qp.last_ns = tick.last_ns;
        qp.paired_by = tick.paired_by.to_owned();
        qp.transport = tick.transport.to_owned();
        qp.src_qp = tick.src_qp.or(qp.src_qp);
        qp.service = tick.service.map(str::to_owned).or(qp.service.take());
        qp.link = link.to_owned();
    }
}

fn add_qp(sum: &mut QpSum, tick: &QpTick) {
    let qp = &mut sum.qp;
    qp.packets += tick.packets;
    qp.copies += tick.copies;
    qp.messages += tick.messages;
    qp.message_bytes += tick.message_bytes;
    qp.psn_gaps += tick.roce.psn_gaps;
    qp.retransmitted += tick.roce.retransmitted;
    qp.inversions += tick.roce.inversions;
    qp.rnr += tick.roce.rnr;
    qp.timeouts += tick.roce.timeouts;
    qp.ce_packets += tick.ce_packets;
    qp.cnp_packets += tick.cnp_packets;
    qp.icrc_bad += tick.roce.icrc_bad;
    qp.icrc_checked += tick.roce.icrc_checked;
    qp.lost_before_tap += tick.roce.lost_before_tap;
    qp.lost_after_tap += tick.roce.lost_after_tap;
    for (total, n) in sum.naks.iter_mut().zip(tick.naks) {
        *total += n;
    }
    for &(opcode, n) in &tick.opcodes {
        *sum.opcodes.entry(opcode).or_default() += n;
    }
    sum.rtt.merge(&tick.rtt);
}
