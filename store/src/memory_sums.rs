//! Flows and queue pairs of many ticks added up.

use std::collections::BTreeMap;

use analyzer::fabric::{l4, opcode};
use analyzer::report::{Flow, Qp};
use analyzer::tick::{FlowKey, FlowTick, QpKey, QpTick};

use crate::Facts;
use crate::memory::link_id;
use crate::rows::naks;

/// A sum, and the link of the newest tick in it: indices of different runs mean different links.
struct Sum<'a, T> {
    tick: T,
    link: &'a str,
}

/// One row per flow, in order of its identity as text.
pub(crate) fn flows(facts: &[Facts]) -> impl Iterator<Item = Flow> {
    let mut sums: BTreeMap<FlowKey, Sum<'_, FlowTick>> = BTreeMap::new();
    for f in facts {
        for tick in &f.tick.flows {
            let link = link_id(f, tick.link.0);
            match sums.get_mut(&tick.key) {
                Some(sum) => (sum.tick.add(tick), sum.link = link).1,
                None => drop(sums.insert(tick.key, Sum { tick: tick.clone(), link })),
            }
        }
    }
    let mut rows: Vec<(u16, u8, Flow)> =
        sums.into_values().map(|sum| (sum.tick.key.sport, sum.tick.key.protocol, flow(sum))).collect();
    rows.sort_by(|(a_sport, a_protocol, a), (b_sport, b_protocol, b)| {
        (&a.src, &a.dst, a_sport, a.dport, a_protocol, a.dst_qp)
            .cmp(&(&b.src, &b.dst, b_sport, b.dport, b_protocol, b.dst_qp))
    });
    rows.into_iter().map(|(_, _, flow)| flow)
}

fn flow(sum: Sum<'_, FlowTick>) -> Flow {
    let tick = sum.tick;
    Flow {
        src: tick.key.src.to_string(),
        sport: tick.sport,
        dst: tick.key.dst.to_string(),
        dport: tick.key.dport,
        l4: l4(tick.key.protocol),
        vlan: tick.vlan,
        dst_qp: tick.key.dst_qp,
        link: sum.link.to_owned(),
        packets: tick.packets,
        bytes: tick.bytes,
        first_ns: tick.first_ns,
        last_ns: tick.last_ns,
        retransmitted: tick.retransmitted,
        ce_packets: tick.ce_packets,
        app: tick.app.map(str::to_owned),
        engine: tick.engine.to_owned(),
        confidence: tick.confidence,
        host_name: tick.host_name,
        attrs: tick.attrs.iter().flat_map(|a| a.iter()).map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        rtt_ns: tick.rtt.quantiles(),
        ..Flow::default()
    }
}

/// One row per queue-pair direction, in order of its identity as text.
pub(crate) fn qps(facts: &[Facts]) -> impl Iterator<Item = Qp> {
    let mut sums: BTreeMap<QpKey, Sum<'_, QpTick>> = BTreeMap::new();
    for f in facts {
        for tick in &f.tick.qps {
            let link = link_id(f, tick.link.0);
            match sums.get_mut(&tick.key) {
                Some(sum) => (sum.tick.add(tick), sum.link = link).1,
                None => drop(sums.insert(tick.key, Sum { tick: tick.clone(), link })),
            }
        }
    }
    let mut rows: Vec<Qp> = sums.into_values().map(qp).collect();
    rows.sort_by(|a, b| (&a.src, &a.dst, a.dst_qp).cmp(&(&b.src, &b.dst, b.dst_qp)));
    rows.into_iter()
}

fn qp(sum: Sum<'_, QpTick>) -> Qp {
    let tick = sum.tick;
    Qp {
        src: tick.key.src.to_string(),
        dst: tick.key.dst.to_string(),
        dst_qp: tick.key.dst_qp,
        src_qp: tick.src_qp,
        paired_by: tick.paired_by.to_owned(),
        transport: tick.transport.to_owned(),
        service: tick.service.map(str::to_owned),
        link: sum.link.to_owned(),
        packets: tick.packets,
        copies: tick.copies,
        messages: tick.messages,
        message_bytes: tick.message_bytes,
        opcodes: tick.opcodes.into_iter().map(|(code, n)| (opcode(code), n)).collect(),
        psn_gaps: tick.roce.psn_gaps,
        retransmitted: tick.roce.retransmitted,
        inversions: tick.roce.inversions,
        nak: naks(tick.naks),
        rnr: tick.roce.rnr,
        timeouts: tick.roce.timeouts,
        ce_packets: tick.ce_packets,
        cnp_packets: tick.cnp_packets,
        icrc_bad: tick.roce.icrc_bad,
        icrc_checked: tick.roce.icrc_checked,
        lost_before_tap: tick.roce.lost_before_tap,
        lost_after_tap: tick.roce.lost_after_tap,
        rtt_ns: tick.rtt.quantiles(),
        job: None,
        first_ns: tick.first_ns,
        last_ns: tick.last_ns,
    }
}
