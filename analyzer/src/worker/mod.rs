//! One worker: frames in, ticks out. Single-threaded; several workers' ticks merge.

use std::sync::Arc;

use capture::{Frame, Interface, InterfaceId};

use crate::tick::Tick;
use crate::topology::Plan;

/// Sizes and lengths of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Length of a tick in ns of packet time.
    pub tick_ns: u64,
    /// Places in the flow table.
    pub flow_capacity: usize,
    /// Compare the ICRC of whole RDMA frames (touches every payload byte).
    pub check_icrc: bool,
    /// UDP destination ports taken as RoCEv2.
    pub rdma_ports: Vec<u16>,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { tick_ns: 100_000_000, flow_capacity: 1 << 17, check_icrc: true, rdma_ports: vec![4791] }
    }
}

/// Decodes, attributes and measures.
pub struct Worker {
    _config: WorkerConfig,
    _plan: Arc<Plan>,
}

impl Worker {
    /// A worker over what is known of the fabric.
    pub fn new(config: WorkerConfig, plan: Arc<Plan>) -> Self {
        Self { _config: config, _plan: plan }
    }

    /// Makes an interface known, before its first frame.
    pub fn add_interface(&mut self, _interface: &Interface) {}

    /// Observes frames; `ready` gets each tick whose time has passed.
    pub fn observe(&mut self, _frames: &[Frame<'_>], _ready: &mut dyn FnMut(Tick)) {}

    /// The capture itself lost frames.
    pub fn dropped(&mut self, _interface: InterfaceId, _at_ns: u64, _count: u64) {}

    /// Hands over the last tick.
    pub fn finish(&mut self, _ready: &mut dyn FnMut(Tick)) {}
}
