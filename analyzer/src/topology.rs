//! What is known of the fabric before a frame is read.

/// Topology and the nature of the taps, indexed for the worker.
#[derive(Clone, Debug, Default)]
pub struct Plan {}
