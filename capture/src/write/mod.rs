//! Frames written down: as pcapng that Wireshark reads, and as a bounded set of files that rotate.

mod pcapng;
mod recent;
mod rotation;
#[cfg(test)]
mod tests;

pub use pcapng::Writer;
pub use recent::{Recent, RecentOptions};
pub use rotation::{Rotation, RotationOptions};
