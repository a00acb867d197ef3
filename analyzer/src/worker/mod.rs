//! One worker: frames in, ticks out. Single-threaded; several workers' ticks merge.

mod ahead;
mod burst;
mod conversation;
mod flows;
mod icrc;
pub(crate) mod index;
mod line;
mod link_names;
mod links;
mod messages;
mod meter;
mod naming;
mod nature;
mod neighbours;
mod notes;
mod peek;
mod rdma;
mod slots;
mod swift;
mod talks;
mod taps;
mod tcp;
mod team;
mod turn;
mod views;

use std::sync::Arc;

use capture::{Frame, Interface, InterfaceId, LinkType};

use crate::control::ControlLog;
use crate::dpi::{Inspector, Signatures};
use crate::tick::{CaptureTick, FlowTick, LinkId, Look, Move, QpKey, QpTick, SparseHistogram, Tick};
use crate::topology::Plan;
use crate::wire::{Decoder, Refusal};

pub use nature::NatureWatch;
pub use team::{Batch, Dealt, Member, Team};

use flows::{Flow, FlowDelta, Flows};
use links::Links;
use messages::MessageLog;
use rdma::{Connections, Rdma};
use taps::Taps;
use team::Apart;

/// What is known of an interface's mirror beyond its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapNature {
    /// The outermost VLAN tag is the mirror's (RSPAN).
    pub rspan: bool,
    /// A VXLAN or Geneve envelope is the mirror's, not an overlay's.
    pub tunnel_is_mirror: bool,
}

impl Default for TapNature {
    fn default() -> Self {
        Self { rspan: false, tunnel_is_mirror: true }
    }
}

/// Sizes and lengths of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Length of a tick in ns of packet time.
    pub tick_ns: u64,
    /// Places in the flow table.
    pub flow_capacity: usize,
    /// Compare the ICRC of whole RDMA frames (touches every payload byte): of all up to 327,680 a second, of a sample beyond.
    pub check_icrc: bool,
    /// UDP destination ports taken as RoCEv2.
    pub rdma_ports: Vec<u16>,
    /// Users' own signatures.
    pub signatures: Arc<Signatures>,
    /// The taps deliver a sample: sequence numbers say nothing.
    pub sampled: bool,
    /// Workers that share the frames, at most 64. The results are the same.
    pub workers: usize,
    /// Plain packets take the short way. Without it the results are the same, and take longer: for comparison.
    pub short_way: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            tick_ns: 100_000_000,
            flow_capacity: 1 << 20,
            check_icrc: true,
            rdma_ports: vec![4791],
            signatures: Arc::default(),
            sampled: false,
            workers: 1,
            short_way: true,
        }
    }
}

/// A tap's interface as the worker needs it.
#[derive(Clone, Debug)]
struct Port {
    source: Arc<str>,
    link_type: LinkType,
    pcapng_interface: u32,
    fcs_len: u8,
    nature: TapNature,
}

impl Port {
    fn of(interface: &Interface, nature: TapNature) -> Self {
        Self {
            source: interface.source.as_str().into(),
            link_type: interface.link_type,
            pcapng_interface: interface.index_in_file,
            fcs_len: interface.fcs_len,
            nature,
        }
    }
}

impl Port {
    /// A frame's bytes and its length on the wire, without the checksum that ends it where the capture has that.
    fn without_fcs<'a>(&self, frame: &Frame<'a>) -> (&'a [u8], u32) {
        let fcs = usize::from(self.fcs_len);
        let end = if burst::is_whole(frame) { frame.bytes.len().saturating_sub(fcs) } else { frame.bytes.len() };
        (frame.bytes.get(..end).unwrap_or(frame.bytes), frame.wire_len.saturating_sub(fcs as u32))
    }
}

/// Decodes, attributes and measures.
#[derive(Debug)]
pub struct Worker {
    config: WorkerConfig,
    decoder: Decoder,
    ports: Vec<Port>,
    links: Links,
    flows: Flows,
    dpi: Inspector,
    taps: Taps,
    messages: MessageLog,
    connections: Connections,
    icrc: icrc::Choice,
    control: ControlLog,
    capture: CaptureTick,
    refused: [u64; Refusal::ALL.len()],
    moves: Vec<Move>,
    tick_start_ns: Option<u64>,
    newest_ns: u64,
    interfaces_unknown: u64,
    /// One of several: what it hands over beside its ticks.
    apart: Option<Vec<Apart>>,
    /// One of several: the frames that began the flows and queue pairs of the tick that is being handed over.
    births: (Vec<u64>, Vec<u64>),
}

/// Moves kept per tick.
const MOVES: usize = 65_536;

impl Worker {
    /// A worker over what is known of the fabric.
    pub fn new(config: WorkerConfig, plan: Arc<Plan>) -> Self {
        Self {
            decoder: Decoder { rdma_ports: config.rdma_ports.clone() },
            flows: Flows::new(config.flow_capacity),
            links: Links::new(plan),
            dpi: Inspector::new(config.signatures.clone()),
            ports: Vec::new(),
            taps: Taps::default(),
            messages: MessageLog::default(),
            connections: Connections::default(),
            icrc: icrc::Choice::new(config.tick_ns),
            control: ControlLog::default(),
            capture: CaptureTick::default(),
            refused: [0; Refusal::ALL.len()],
            moves: Vec::new(),
            tick_start_ns: None,
            newest_ns: 0,
            interfaces_unknown: 0,
            apart: None,
            births: (Vec::new(), Vec::new()),
            config,
        }
    }

    /// Makes an interface known, before its first frame. Interfaces are numbered densely from 0.
    pub fn add_interface(&mut self, interface: &Interface, nature: TapNature) {
        let index = usize::from(interface.id.0);
        let port = Port::of(interface, nature);
        if index < self.ports.len() {
            if let Some(place) = self.ports.get_mut(index) {
                *place = port;
            }
        } else {
            self.ports.resize(index + 1, port);
        }
    }

    /// Observes frames; `ready` gets each tick whose time has passed.
    pub fn observe(&mut self, frames: &[Frame<'_>], ready: &mut dyn FnMut(Tick)) {
        self.burst(frames, &[], ready);
    }

    /// Time has come to `now_ns` without a frame: `ready` gets the tick whose time has passed. Before the first frame there is no time.
    pub fn advance(&mut self, now_ns: u64, ready: &mut dyn FnMut(Tick)) {
        if self.tick_start_ns.is_some() {
            self.pass_time(now_ns, ready);
        }
    }

    /// When each link last carried a packet, for [`crate::fabric::Fabric::look`]. Changes nothing.
    pub fn look(&self) -> Look {
        self.links.look()
    }

    /// Links so far: what a look at them costs grows with their number.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The capture itself lost frames.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.taps.dropped(interface.0, at_ns, count);
    }

    /// Hands over the last tick.
    pub fn finish(&mut self, ready: &mut dyn FnMut(Tick)) {
        if let Some(start_ns) = self.tick_start_ns.take() {
            let end_ns = start_ns.saturating_add(self.config.tick_ns);
            ready(self.hand_over(start_ns, end_ns));
        }
    }

    /// Time that runs backwards stays in the present tick; a leap forward skips the empty ticks.
    fn pass_time(&mut self, at_ns: u64, ready: &mut dyn FnMut(Tick)) {
        let tick_ns = self.config.tick_ns.max(1);
        self.newest_ns = self.newest_ns.max(at_ns);
        if self.tick_start_ns.is_some_and(|start_ns| at_ns < start_ns.saturating_add(tick_ns)) {
            return;
        }
        let aligned = at_ns - at_ns % tick_ns;
        match self.tick_start_ns {
            None => self.tick_start_ns = Some(aligned),
            Some(start_ns) if aligned > start_ns => {
                self.tick_start_ns = Some(aligned);
                ready(self.hand_over(start_ns, start_ns.saturating_add(tick_ns)));
            }
            Some(_) => {}
        }
    }

    fn hand_over(&mut self, start_ns: u64, end_ns: u64) -> Tick {
        let mut capture = std::mem::take(&mut self.capture);
        capture.icrc_unchecked = self.icrc.take_unchecked();
        capture.flows_evicted = std::mem::take(&mut self.flows.evicted);
        let left_out = std::mem::take(&mut self.links.left_out);
        capture.refused = Refusal::ALL
            .iter()
            .zip(&mut self.refused)
            .map(|(refusal, n)| (refusal.name(), std::mem::take(n)))
            .chain([("link-table-full", left_out), ("interface-unknown", std::mem::take(&mut self.interfaces_unknown))])
            .filter(|&(_, n)| n > 0)
            .collect();
        capture.refused.sort_unstable();
        let (flows, qps) = self.flow_ticks();
        self.book_gone();
        let ports = &self.ports;
        let taps = self.taps.take(|i| ports.get(usize::from(i)).map_or_else(String::new, |p| p.source.to_string()));
        let (messages, messages_left_out) = self.messages.take();
        let (mut control, control_left_out) = self.control.take();
        control.sort_by_key(|c| (c.at_ns, c.src, c.dst));
        let links = self.links.take_ticks(end_ns);
        let mut moves = std::mem::take(&mut self.moves);
        moves.sort_by_key(|m| (m.first_on_to_ns, m.flow, m.from, m.to));
        if let Some(apart) = &mut self.apart {
            let (flows, qps) = (std::mem::take(&mut self.births.0), std::mem::take(&mut self.births.1));
            apart.push(Apart { flows, qps, taps: taps.iter().map(|&(interface, _)| interface).collect() });
        }
        Tick {
            start_ns,
            end_ns,
            widened: 0,
            capture,
            new_links: if self.apart.is_some() { Vec::new() } else { self.links.take_new() },
            links,
            flows,
            qps,
            control,
            control_left_out,
            moves,
            taps: taps.into_iter().map(|(_, tap)| tap).collect(),
            messages,
            messages_left_out,
        }
    }

    /// What conversations that lost their place had not told their links.
    fn book_gone(&mut self) {
        for gone in self.flows.talks.take_gone() {
            for link in gone.links.into_iter().filter(|_| gone.packets > 0) {
                self.links.carried(link, gone.packets, gone.bytes, &gone.beside);
            }
        }
    }

    fn flow_ticks(&mut self) -> (Vec<FlowTick>, Vec<QpTick>) {
        let touched = self.flows.take_touched();
        let (mut flows, mut qps) = (Vec::with_capacity(touched.len()), Vec::new());
        for place in touched {
            self.flush(place);
            let src_qp = self.src_qp(place);
            if let Some(births) = &self.flows.births {
                let at = births.of(place);
                self.births.0.push(at);
                self.births.1.extend(self.flows.peek_rdma(place).map(|_| at));
            }
            if let Some((flow, rdma)) = self.flows.with_talk(place) {
                let (delta, rtt) = (flow.handed_over(), flow.take_round_trips());
                if let Some(rdma) = rdma {
                    qps.push(qp_tick(flow, rdma, &delta, &rtt, src_qp));
                }
                flows.push(flow_tick(flow, delta, rtt));
            }
        }
        (flows, qps)
    }
}

impl Worker {
    /// The sender's queue pair, as connection management named it or as the other direction shows it.
    fn src_qp(&self, place: u32) -> Option<u32> {
        let rdma = self.flows.peek_rdma(place)?;
        rdma.src_qp.or_else(|| self.flows.peek(rdma.peer?)?.key.dst_qp)
    }
}

/// What a queue pair did since the last tick.
fn qp_tick(flow: &Flow, rdma: &mut Rdma, delta: &FlowDelta, rtt: &SparseHistogram, src_qp: Option<u32>) -> QpTick {
    let link = flow.views.nearest().unwrap_or(LinkId(u32::MAX));
    let (d, class) = (std::mem::take(&mut rdma.delta), rdma.class);
    QpTick {
        key: QpKey { src: flow.key.src, dst: flow.key.dst, dst_qp: flow.key.dst_qp.unwrap_or(0) },
        src_qp,
        paired_by: rdma.paired_by,
        transport: rdma.transport,
        service: flow.app.filter(|&app| app != "roce" && app != "cnp"),
        link,
        packets: delta.packets.into(),
        bytes: delta.bytes,
        copies: delta.copies.into(),
        messages: d.messages,
        message_bytes: d.message_bytes,
        opcodes: d.opcodes(),
        roce: d.counters,
        naks: d.naks,
        ce_packets: delta.ce_packets.into(),
        cnp_packets: d.cnp_packets,
        class: class.filter(|_| d.counters.data_packets > 0),
        cnp_dscp: d.cnp_dscp,
        repeats_of_one_psn_max: d.repeats_of_one_psn_max,
        inversion_depth_max: d.inversion_depth_max,
        timeout_silence_ns_max: d.timeout_silence_ns_max,
        first_ns: delta.first_ns,
        last_ns: delta.last_ns,
        rtt: rtt.clone(),
        witnesses: d.witnesses,
    }
}

/// What a flow did since the last tick.
fn flow_tick(flow: &Flow, delta: FlowDelta, rtt: SparseHistogram) -> FlowTick {
    FlowTick {
        key: flow.key,
        sport: flow.sport,
        vlan: flow.vlan,
        link: flow.views.link().unwrap_or(LinkId(u32::MAX)),
        packets: delta.packets.into(),
        bytes: delta.bytes,
        first_ns: delta.first_ns,
        last_ns: delta.last_ns,
        ce_packets: delta.ce_packets.into(),
        retransmitted: delta.retransmitted.into(),
        copies: delta.copies.into(),
        app: flow.app,
        closed: flow.label_closed || flow.watched().is_some(),
        dscp: flow.dscp(),
        engine: flow.engine(),
        confidence: flow.confidence,
        host_name: flow.found.as_ref().and_then(|f| f.host_name.clone()),
        attrs: flow.found.as_ref().and_then(|f| f.attrs.clone()),
        rtt,
    }
}
