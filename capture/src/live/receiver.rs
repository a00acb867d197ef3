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
    /// By the interface, before the kernel.
    pub(crate) interface: u64,
}

/// One socket's worth of frames.
pub(crate) trait Receiver: Send {
    /// Lends one batch to `lend`, if anything is there; says how many frames that were. The vector may be thinned out.
    fn receive(&mut self, lend: &mut dyn FnMut(&mut Vec<Frame<'_>>)) -> io::Result<usize>;
    /// Losses since it was opened.
    fn lost(&mut self) -> io::Result<Lost>;
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
