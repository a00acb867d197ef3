//! Facts as rows of every table. The same facts give the same rows.

use std::collections::HashMap;
use std::sync::Arc;

use analyzer::fabric::l4;
use analyzer::packet::MirrorKey;
use analyzer::report::{Finding, Job};
use analyzer::tick::{FlowTick, LinkInfo, LinkTick, QpTick, SparseHistogram, TapTick};
use serde::{Deserialize, Serialize};

use super::rows::*;
use crate::rows::{finding_text, span_of};
use crate::{Facts, StoreError};

/// Links are written again after this much packet time, so that they outlive the retention of one row.
const LINKS_AGAIN_NS: u64 = 86_400_000_000_000;

/// Rows on their way to a database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Batch {
    pub(crate) ticks: Vec<TickRow>,
    pub(crate) links: Vec<LinkRow>,
    pub(crate) link_metrics: Vec<LinkTickRow>,
    pub(crate) flows: Vec<FlowTickRow>,
    pub(crate) qps: Vec<QpTickRow>,
    pub(crate) taps: Vec<TapTickRow>,
    pub(crate) findings: Vec<FindingRow>,
    #[serde(default)]
    pub(crate) jobs: Vec<JobRow>,
}

/// Which links were written already, so that they are not written with every tick.
#[derive(Clone, Debug, Default)]
pub struct Known {
    runs: HashMap<(Arc<str>, Arc<str>), KnownRun>,
}

#[derive(Clone, Debug, Default)]
struct KnownRun {
    table: Arc<Vec<LinkInfo>>,
    written_ns: u64,
    pfc_seen: Vec<bool>,
}

/// What every row of a tick begins with.
#[derive(Clone, Copy)]
struct Place<'a> {
    facts: &'a Facts,
}

impl Place<'_> {
    fn sensor(&self) -> String {
        self.facts.sensor.to_string()
    }

    fn run(&self) -> String {
        self.facts.run.to_string()
    }

    fn link(&self, link: u32) -> String {
        self.facts.links.get(link as usize).map(|info| info.id.clone()).unwrap_or_default()
    }
}

impl Batch {
    /// Rows of some facts; `known` says which links need no row and learns those that get one.
    pub(crate) fn of(facts: &[Facts], known: &mut Known) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for f in facts {
            batch.add(f, known)?;
        }
        Ok(batch)
    }

    fn add(&mut self, facts: &Facts, known: &mut Known) -> Result<(), StoreError> {
        let place = Place { facts };
        let tick = &facts.tick;
        self.ticks.push(tick_row(place));
        self.links.extend(known.news(place));
        self.link_metrics.extend(tick.links.iter().map(|link| link_tick_row(place, link)));
        self.flows.extend(tick.flows.iter().map(|flow| flow_row(place, flow)));
        self.qps.extend(tick.qps.iter().map(|qp| qp_row(place, qp)));
        self.taps.extend(tick.taps.iter().map(|tap| tap_row(place, tap)));
        for finding in facts.findings.iter() {
            self.findings.push(finding_row(place, finding)?);
        }
        for job in facts.jobs.iter() {
            self.jobs.push(job_row(place, job)?);
        }
        Ok(())
    }
}

impl Known {
    /// Rows of links that are new, changed, seen with PFC for the first time, or written long ago.
    fn news(&mut self, place: Place<'_>) -> Vec<LinkRow> {
        let facts = place.facts;
        let key = (facts.sensor.clone(), facts.run.clone());
        let run = self.runs.entry(key).or_default();
        let again = facts.tick.start_ns >= run.written_ns.saturating_add(LINKS_AGAIN_NS);
        if again {
            run.written_ns = facts.tick.start_ns;
        }
        let mut pfc_seen = run.pfc_seen.clone();
        pfc_seen.resize(facts.links.len(), false);
        for link in facts.tick.links.iter().filter(|l| l.pfc_frames > 0) {
            if let Some(seen) = pfc_seen.get_mut(link.link as usize) {
                *seen = true;
            }
        }
        let news = run.differences(&facts.links, &pfc_seen, again);
        let rows = news.into_iter().map(|(info, seen)| link_row(place, info, seen)).collect();
        (run.table, run.pfc_seen) = (facts.links.clone(), pfc_seen);
        rows
    }
}

impl KnownRun {
    fn differences<'a>(&self, links: &'a Arc<Vec<LinkInfo>>, seen: &[bool], all: bool) -> Vec<(&'a LinkInfo, bool)> {
        if !all && Arc::ptr_eq(&self.table, links) && self.pfc_seen == seen {
            return Vec::new();
        }
        let differs = |at: usize, info: &LinkInfo, seen: bool| {
            all || self.table.get(at) != Some(info) || self.pfc_seen.get(at) != Some(&seen)
        };
        let pairs = links.iter().zip(seen.iter().copied()).enumerate();
        pairs.filter(|&(at, (info, seen))| differs(at, info, seen)).map(|(_, pair)| pair).collect()
    }
}

fn tick_row(place: Place<'_>) -> TickRow {
    let (tick, capture) = (&place.facts.tick, &place.facts.tick.capture);
    TickRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        start_ns: tick.start_ns,
        end_ns: tick.end_ns,
        widened: tick.widened,
        frames: capture.frames,
        wire_bytes: capture.wire_bytes,
        captured_bytes: capture.captured_bytes,
        refused_reasons: capture.refused.iter().map(|(reason, _)| (*reason).to_owned()).collect(),
        refused_counts: capture.refused.iter().map(|&(_, count)| count).collect(),
        duplicated: capture.duplicated,
        flows_evicted: capture.flows_evicted,
    }
}

fn link_row(place: Place<'_>, info: &LinkInfo, pfc_seen: bool) -> LinkRow {
    LinkRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        since_ns: place.facts.tick.start_ns,
        link_index: info.link.0,
        link: info.id.clone(),
        name: info.name.clone(),
        from_node: info.from.clone(),
        to_node: info.to.clone(),
        speed_bps: info.speed_bps,
        link_group: info.group.clone(),
        mirror_kind: info.mirror.kind.name().to_owned(),
        mirror_session: info.mirror.session,
        mirror_vlan: info.mirror.vlan,
        mirror_port: info.mirror.port,
        mirror_source: source(info.mirror),
        tap: info.tap.clone(),
        reverse_index: info.reverse.map(|link| link.0),
        host: info.host.map(|host| host.to_string()),
        to_host: info.to_host,
        pfc_seen,
    }
}

fn source(mirror: MirrorKey) -> Option<String> {
    mirror.source.map(|address| address.to_string())
}

fn histogram(row: &SparseHistogram) -> (Vec<u16>, Vec<u32>) {
    row.0.iter().copied().unzip()
}

fn link_tick_row(place: Place<'_>, link: &LinkTick) -> LinkTickRow {
    let (rtt_buckets, rtt_counts) = histogram(&link.rtt);
    let (idle_buckets, idle_counts) = histogram(&link.idle);
    LinkTickRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        start_ns: place.facts.tick.start_ns,
        end_ns: place.facts.tick.end_ns,
        link_index: link.link,
        link: place.link(link.link),
        packets: link.packets,
        bytes: link.bytes,
        rdma_bytes: link.rdma_bytes,
        rdma_packets: link.rdma_packets,
        ect_packets: link.ect_packets,
        ce_packets: link.ce_packets,
        cnp_packets: link.cnp_packets,
        pfc_frames: link.pfc_frames,
        paused_ns: link.paused_ns.to_vec(),
        first_ns: link.first_ns,
        last_ns: link.last_ns,
        silent_ns_max: link.silent_ns_max,
        silent_until_ns: link.silent_until_ns,
        max_bytes_1ms: link.max_bytes_1ms,
        max_bytes_100us: link.max_bytes_100us,
        max_100us_at_ns: link.max_100us_at_ns,
        rtt_buckets,
        rtt_counts,
        idle_buckets,
        idle_counts,
        tcp_retransmitted: link.tcp_retransmitted,
        tcp_zero_window: link.tcp_zero_window,
        bso_bad: link.bso_bad,
        ..transport_of_link(link)
    }
}

fn transport_of_link(link: &LinkTick) -> LinkTickRow {
    let c = &link.roce;
    LinkTickRow {
        data_packets: c.data_packets,
        retransmitted: c.retransmitted,
        retransmitted_bytes: c.retransmitted_bytes,
        useful_bytes: c.useful_bytes,
        nak_sequence: c.nak_sequence,
        nak_other: c.nak_other,
        rnr: c.rnr,
        timeouts: c.timeouts,
        psn_gaps: c.psn_gaps,
        inversions: c.inversions,
        icrc_checked: c.icrc_checked,
        icrc_bad: c.icrc_bad,
        lost_before_tap: c.lost_before_tap,
        lost_after_tap: c.lost_after_tap,
        duplicated: c.duplicated,
        ..LinkTickRow::default()
    }
}

fn flow_row(place: Place<'_>, flow: &FlowTick) -> FlowTickRow {
    let (rtt_buckets, rtt_counts) = histogram(&flow.rtt);
    FlowTickRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        start_ns: place.facts.tick.start_ns,
        end_ns: place.facts.tick.end_ns,
        src: flow.key.src.to_string(),
        dst: flow.key.dst.to_string(),
        key_sport: flow.key.sport,
        dport: flow.key.dport,
        protocol: flow.key.protocol,
        dst_qp: flow.key.dst_qp,
        l4: l4(flow.key.protocol),
        sport: flow.sport,
        vlan: flow.vlan,
        link: place.link(flow.link.0),
        packets: flow.packets,
        bytes: flow.bytes,
        first_ns: flow.first_ns,
        last_ns: flow.last_ns,
        ce_packets: flow.ce_packets,
        retransmitted: flow.retransmitted,
        copies: flow.copies,
        app: flow.app.unwrap_or_default().to_owned(),
        engine: flow.engine.to_owned(),
        confidence: Real(flow.confidence),
        host_name: flow.host_name.clone(),
        attrs: flow.attrs.iter().flat_map(|a| a.iter()).map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        rtt_buckets,
        rtt_counts,
    }
}

fn qp_row(place: Place<'_>, qp: &QpTick) -> QpTickRow {
    let (rtt_buckets, rtt_counts) = histogram(&qp.rtt);
    let (opcodes, opcode_counts) = qp.opcodes.iter().copied().unzip();
    QpTickRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        start_ns: place.facts.tick.start_ns,
        end_ns: place.facts.tick.end_ns,
        src: qp.key.src.to_string(),
        dst: qp.key.dst.to_string(),
        dst_qp: qp.key.dst_qp,
        src_qp: qp.src_qp,
        paired_by: qp.paired_by.to_owned(),
        transport: qp.transport.to_owned(),
        service: qp.service.map(str::to_owned),
        link: place.link(qp.link.0),
        packets: qp.packets,
        bytes: qp.bytes,
        copies: qp.copies,
        messages: qp.messages,
        message_bytes: qp.message_bytes,
        opcodes,
        opcode_counts,
        ce_packets: qp.ce_packets,
        cnp_packets: qp.cnp_packets,
        repeats_of_one_psn_max: qp.repeats_of_one_psn_max,
        inversion_depth_max: qp.inversion_depth_max,
        timeout_silence_ns_max: qp.timeout_silence_ns_max,
        first_ns: qp.first_ns,
        last_ns: qp.last_ns,
        rtt_buckets,
        rtt_counts,
        ..transport_of_qp(qp)
    }
}

fn transport_of_qp(qp: &QpTick) -> QpTickRow {
    let c = &qp.roce;
    let [nak_sequence, nak_invalid_request, nak_remote_access, nak_remote_operation] = qp.naks;
    QpTickRow {
        data_packets: c.data_packets,
        retransmitted: c.retransmitted,
        retransmitted_bytes: c.retransmitted_bytes,
        useful_bytes: c.useful_bytes,
        nak_sequence,
        nak_invalid_request,
        nak_remote_access,
        nak_remote_operation,
        rnr: c.rnr,
        timeouts: c.timeouts,
        psn_gaps: c.psn_gaps,
        inversions: c.inversions,
        icrc_checked: c.icrc_checked,
        icrc_bad: c.icrc_bad,
        lost_before_tap: c.lost_before_tap,
        lost_after_tap: c.lost_after_tap,
        duplicated: c.duplicated,
        ..QpTickRow::default()
    }
}

fn tap_row(place: Place<'_>, tap: &TapTick) -> TapTickRow {
    TapTickRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        start_ns: place.facts.tick.start_ns,
        end_ns: place.facts.tick.end_ns,
        tap: tap.source.clone(),
        mirror_kind: tap.key.kind.name().to_owned(),
        mirror_session: tap.key.session,
        mirror_vlan: tap.key.vlan,
        mirror_port: tap.key.port,
        mirror_source: source(tap.key),
        frames: tap.frames,
        lost: tap.lost,
        lost_first_ns: tap.lost_first_ns,
        lost_last_ns: tap.lost_last_ns,
        truncated: tap.truncated,
    }
}

fn finding_row(place: Place<'_>, finding: &Finding) -> Result<FindingRow, StoreError> {
    let body = serde_json::to_string(finding)
        .map_err(|why| StoreError::Never(format!("finding {} cannot be written as JSON: {why}", finding.id)))?;
    Ok(FindingRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        id: finding.id.clone(),
        kind: finding.kind.clone(),
        severity: finding.severity as u8,
        link: finding.subject.link.clone().unwrap_or_default(),
        since_ns: finding.since_ns,
        until_ns: finding.until_ns,
        value: Real(finding.value),
        unit: finding.unit.clone(),
        threshold: Real(finding.threshold),
        explanation: finding.explanation.clone(),
        searched: finding_text(finding).to_lowercase(),
        body,
    })
}

fn job_row(place: Place<'_>, job: &Job) -> Result<JobRow, StoreError> {
    let body = serde_json::to_string(job)
        .map_err(|why| StoreError::Never(format!("job {} cannot be written as JSON: {why}", job.id)))?;
    let mut collectives: Vec<String> = job.collectives.iter().map(|c| c.kind.clone()).collect();
    collectives.sort_unstable();
    collectives.dedup();
    let (since_ns, until_ns) = span_of(job);
    Ok(JobRow {
        sensor: place.sensor(),
        run: place.run(),
        sequence: place.facts.sequence,
        id: job.id.clone(),
        since_ns,
        until_ns,
        hosts: job.hosts.clone(),
        collectives,
        steps: job.steps_left_out + job.steps.len() as u64,
        step_p50_ns: job.step_ns.map(|s| s.p50),
        step_p99_ns: job.step_ns.map(|s| s.p99),
        efficiency: job.efficiency.map(Real),
        lost_causes: job.lost.iter().map(|l| l.cause.clone()).collect(),
        lost_ns: job.lost.iter().map(|l| l.lost_ns).collect(),
        ended: job.ended,
        body,
    })
}
