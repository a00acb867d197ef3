//! Live: the first frames are held until they have said whether a tap's outer tag is the mirror's, as a look at a file's first
//! frames says in a replay.

use std::time::{Duration, Instant};

use analyzer::worker::{NatureWatch, TapNature};
use capture::{Direction, Frame, Interface, InterfaceId};

/// Most frames held.
const FRAMES: usize = 16_384;
/// Most bytes held.
const BYTES: usize = 32 << 20;
/// Longest time held.
const TIME: Duration = Duration::from_millis(300);

/// What came so far.
#[derive(Default)]
pub struct FirstLook {
    watch: NatureWatch,
    interfaces: Vec<Interface>,
    held: Vec<Held>,
    bytes: usize,
    dropped: Vec<(InterfaceId, u64, u64)>,
    begun: Option<Instant>,
}

struct Held {
    bytes: Vec<u8>,
    at_ns: u64,
    wire_len: u32,
    interface: InterfaceId,
    direction: Direction,
}

impl Held {
    fn of(frame: &Frame<'_>) -> Self {
        let Frame { at_ns, wire_len, interface, direction, .. } = *frame;
        Self { bytes: frame.bytes.to_vec(), at_ns, wire_len, interface, direction }
    }

    fn frame(&self) -> Frame<'_> {
        let Self { at_ns, wire_len, interface, direction, .. } = *self;
        Frame { bytes: &self.bytes, at_ns, wire_len, interface, direction }
    }
}

impl FirstLook {
    /// A new interface.
    pub fn interface(&mut self, interface: &Interface) {
        self.watch.add_interface(interface);
        self.interfaces.push(interface.clone());
    }

    /// Holds frames.
    pub fn frames(&mut self, batch: &[Frame<'_>]) {
        self.begun.get_or_insert_with(Instant::now);
        self.watch.observe(batch);
        self.bytes += batch.iter().map(|f| f.bytes.len()).sum::<usize>();
        self.held.extend(batch.iter().map(Held::of));
    }

    /// Holds a loss.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dropped.push((interface, at_ns, count));
    }

    /// Whether nothing more is held.
    pub fn is_over(&self) -> bool {
        let long = self.begun.is_some_and(|begun| begun.elapsed() >= TIME);
        long || self.held.len() >= FRAMES || self.bytes >= BYTES
    }

    /// The interfaces, each with what its first frames said of it.
    pub fn interfaces(&self) -> impl Iterator<Item = (&Interface, TapNature)> {
        self.interfaces.iter().map(|i| (i, self.watch.nature(&i.source)))
    }

    /// The losses held.
    pub fn losses(&self) -> &[(InterfaceId, u64, u64)] {
        &self.dropped
    }

    /// The frames held, in order.
    pub fn batch(&self) -> Vec<Frame<'_>> {
        self.held.iter().map(Held::frame).collect()
    }

    /// What the frames said, for interfaces that come later.
    pub fn into_natures(self) -> NatureWatch {
        self.watch
    }
}
