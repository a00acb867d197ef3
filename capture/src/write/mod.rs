//! Frames written down: as pcapng that Wireshark reads, and as a bounded set of files that rotate.

mod pcapng;
mod rotation;
#[cfg(test)]
mod tests;

pub use pcapng::Writer;
pub use rotation::{Rotation, RotationOptions};
