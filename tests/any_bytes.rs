//! Whatever bytes a mirror delivers, the worker stays up, counts every frame, and does not care how they were
//! batched. The flow table is small here, so that flows are evicted as well.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use analyzer::tick::Tick;
use analyzer::topology::Plan;
use analyzer::worker::{TapNature, Worker, WorkerConfig};
use capture::{Direction, Frame, Interface, InterfaceId, LinkType};
use proptest::prelude::*;

/// One frame with bytes of its own.
#[derive(Clone, Debug)]
struct Held {
    at_ns: u64,
    bytes: Vec<u8>,
    wire_len: u32,
}

impl Held {
    fn lend(&self) -> Frame<'_> {
        Frame {
            bytes: &self.bytes,
            at_ns: self.at_ns,
            wire_len: self.wire_len,
            interface: InterfaceId(0),
            direction: Direction::Unknown,
        }
    }
}

fn interface(link_type: LinkType) -> Interface {
    Interface {
        id: InterfaceId(0),
        source: "any.pcap".into(),
        name: None,
        index_in_file: 0,
        link_type,
        speed_bps: None,
        snaplen: 0,
        fcs_len: 0,
    }
}

fn observe(link_type: LinkType, nature: TapNature, frames: &[Held], batch: usize) -> Vec<Tick> {
    let config = WorkerConfig { flow_capacity: 16, ..WorkerConfig::default() };
    let mut worker = Worker::new(config, Arc::new(Plan::default()));
    worker.add_interface(&interface(link_type), nature);
    let mut ticks = Vec::new();
    for part in frames.chunks(batch) {
        let lent: Vec<Frame<'_>> = part.iter().map(Held::lend).collect();
        worker.observe(&lent, &mut |tick| ticks.push(tick));
    }
    worker.finish(&mut |tick| ticks.push(tick));
    ticks
}

/// Frames of a small ring, as records of the file that the generator wrote.
fn ring() -> Vec<Held> {
    let mut file = Vec::new();
    let config = fixtures::ring::Config { hosts: 3, queue_pairs: 5, packets: 200, ..fixtures::ring::Config::default() };
    fixtures::ring::write(&config, &mut file).expect("a vector takes all");
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes"));
    let (mut frames, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let len = word(at + 8) as usize;
        let at_ns = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4));
        frames.push(Held { at_ns, bytes: file[at + 16..at + 16 + len].to_vec(), wire_len: word(at + 12) });
        at += 16 + len;
    }
    frames
}

fn link_types() -> impl Strategy<Value = LinkType> {
    let numbers = vec![0, 1, 12, 101, 108, 113, 197, 228, 229, 247, 276, 105];
    prop::sample::select(numbers).prop_map(LinkType::from_number)
}

fn natures() -> impl Strategy<Value = TapNature> {
    (any::<bool>(), any::<bool>()).prop_map(|(rspan, tunnel_is_mirror)| TapNature { rspan, tunnel_is_mirror })
}

/// Bytes from nowhere; lengths on the wire that need not fit; time that may leap either way.
fn anything() -> impl Strategy<Value = Vec<Held>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let frame = (any::<u64>(), bytes, any::<u32>());
    prop::collection::vec(frame.prop_map(|(at_ns, bytes, wire_len)| Held { at_ns, bytes, wire_len }), 0..20)
}

/// Real packets with some bytes changed, and some cut short.
fn damaged() -> impl Strategy<Value = Vec<Held>> {
    let damage = prop::collection::vec((0_usize..200, 0_usize..128, any::<u8>(), any::<bool>()), 0..60);
    damage.prop_map(|damage| {
        let mut frames = ring();
        for (which, place, value, cut) in damage {
            let bytes = &mut frames[which].bytes;
            if cut {
                bytes.truncate(place);
            } else if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        frames
    })
}

fn holds(link_type: LinkType, nature: TapNature, frames: &[Held]) -> Result<(), TestCaseError> {
    let whole = observe(link_type, nature, frames, frames.len().max(1));
    let counted: u64 = whole.iter().map(|tick| tick.capture.frames).sum();
    prop_assert_eq!(counted, frames.len() as u64, "every frame is counted");
    let wire_bytes: u64 = whole.iter().map(|tick| tick.capture.wire_bytes).sum();
    prop_assert_eq!(wire_bytes, frames.iter().map(|f| u64::from(f.wire_len)).sum::<u64>());
    for batch in [1, 7] {
        prop_assert_eq!(&observe(link_type, nature, frames, batch), &whole, "batches of {} give the same", batch);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_at_all(link_type in link_types(), nature in natures(), frames in anything()) {
        holds(link_type, nature, &frames)?;
    }

    #[test]
    fn real_packets_damaged(nature in natures(), frames in damaged()) {
        holds(LinkType::Ethernet, nature, &frames)?;
    }
}

/// The frames above reach beyond the first header: undamaged, they are all understood, down to the queue pairs.
#[test]
fn the_undamaged_ring_is_understood() {
    let ticks = observe(LinkType::Ethernet, TapNature::default(), &ring(), 64);
    assert!(ticks.iter().all(|tick| tick.capture.refused.is_empty()), "{:?}", ticks[0].capture.refused);
    let data: u64 = ticks.iter().flat_map(|t| &t.qps).map(|qp| qp.roce.data_packets).sum();
    let repeats: u64 = ticks.iter().flat_map(|t| &t.qps).map(|qp| qp.roce.retransmitted + qp.roce.psn_gaps).sum();
    assert!(data > 150, "{data} data packets");
    assert_eq!(repeats, 0, "nothing was lost or repeated");
}
