//! From fuzzer's bytes to frames, through worker and fabric, to a report.
//!
//! Input: link type (1 byte), tap (1 byte: bit 0 RSPAN, bit 1 tunnels are overlays), then frames of: captured length (2 bytes,
//! little endian), bytes beyond it on the wire (1 byte), time since the frame before in units of 10 us (1 byte), the bytes.

use std::sync::Arc;

use analyzer::fabric::{Fabric, FabricConfig};
use analyzer::topology::{Learner, Plan};
use analyzer::worker::{TapNature, Worker, WorkerConfig};
use capture::{Direction, Frame, Interface, InterfaceId, LinkType};

/// Small tables, so that they fill.
const FLOWS: usize = 64;
/// Link types by the first byte.
const LINK_TYPES: [u16; 10] = [1, 1, 1, 113, 276, 101, 247, 197, 0, 105];

/// Observes what `data` holds; the report counts every frame.
pub fn observe(data: &[u8]) {
    let Some((&[link_type, tap], rest)) = data.split_first_chunk::<2>() else { return };
    let number = LINK_TYPES[usize::from(link_type) % LINK_TYPES.len()];
    let frames = frames(rest);
    let interface = interface(LinkType::from_number(number));
    let config = WorkerConfig { flow_capacity: FLOWS, ..WorkerConfig::default() };
    let mut worker = Worker::new(config, Arc::new(Plan::default()));
    worker.add_interface(&interface, TapNature { rspan: tap & 1 == 1, tunnel_is_mirror: tap & 2 == 0 });
    let mut fabric = Fabric::new(FabricConfig { flow_capacity: FLOWS, qp_capacity: FLOWS, ..FabricConfig::default() });
    let mut absorb = |tick| drop(fabric.absorb(&tick));
    for batch in frames.chunks(7) {
        worker.observe(batch, &mut absorb);
    }
    worker.finish(&mut absorb);
    fabric.finish();
    let report = fabric.report(Vec::new());
    assert_eq!(report.capture.packets, frames.len() as u64, "every frame is counted");
    let mut learner = Learner::default();
    learner.add_interface(&interface);
    learner.observe(&frames);
    learner.topology();
}

fn interface(link_type: LinkType) -> Interface {
    Interface {
        id: InterfaceId(0),
        source: "fuzz.pcap".to_owned(),
        name: None,
        index_in_file: 0,
        link_type,
        speed_bps: None,
        snaplen: 0,
        fcs_len: 0,
    }
}

fn frames(mut data: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    let mut at_ns = 1_700_000_000_000_000_000;
    while let Some((&[low, high, beyond, gap], rest)) = data.split_first_chunk::<4>() {
        let (bytes, after) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([low, high]))));
        at_ns += u64::from(gap) * 10_000;
        let wire_len = bytes.len() as u32 + u32::from(beyond);
        frames.push(Frame { bytes, at_ns, wire_len, interface: InterfaceId(0), direction: Direction::Unknown });
        data = after;
    }
    frames
}
