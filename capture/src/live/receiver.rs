//! What each mode of live capture does: lend the frames that are there, and say what was lost.

use std::io;

use crate::frame::{Frame, LinkType};

/// Frames lost since a receiver was opened, by where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The ring was full: the reader was too slow.
    pub(crate) ring: u64,
    /// No buffer was free for the frame.
    pub(crate) starved: u64,
    /// Between the interface and the ring, by the kernel.
    pub(crate) kernel: u64,
    /// By the interface, before the kernel.
    pub(crate) interface: u64,
}

impl Lost {
    /// What was lost since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            ring: self.ring.saturating_sub(before.ring),
            starved: self.starved.saturating_sub(before.starved),
            kernel: self.kernel.saturating_sub(before.kernel),
            interface: self.interface.saturating_sub(before.interface),
        }
    }
}

/// One socket's worth of frames.
pub(crate) trait Receiver: Send {
    /// Lends one batch to `lend`, if anything is there; says how many frames that were. The vector may be thinned out.
    fn receive(&mut self, lend: &mut dyn FnMut(&mut Vec<Frame<'_>>)) -> io::Result<usize>;
    /// Lets no more frames in; those in the ring can still be received.
    fn stop(&mut self) {}
    /// Frames that a filter in the kernel left out since it was opened.
    fn left_out(&self) -> u64 {
        0
    }
    /// Losses since it was opened.
    fn lost(&mut self) -> io::Result<Lost>;
    /// Whether what the interface's receive path drops never came to this receiver, and is not in its own count. Then how many frames
    /// had a VLAN tag beside them: those are counted as dropped, though they came, where nobody else has a use for them.
    fn misses_kernel_drops(&self) -> Option<u64> {
        None
    }
    /// Link type of the frames.
    fn link_type(&self) -> LinkType {
        LinkType::Ethernet
    }
    /// The receive queue it reads.
    fn queue(&self) -> Option<u32> {
        None
    }
    /// Facts about how it works that a user may want to see.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
