//! Where frames come from. This room knows frames and time, and nothing of protocols.
//!
//! A [`Source`] lends batches of [`Frame`]s whose bytes lie where they were read: in the buffer of a file, in a
//! ring shared with the kernel. Nothing is copied on the way to the analyzer. Time is carried by the frames.

mod error;
mod file;
mod filter;
mod frame;
pub mod live;
mod source;
pub mod write;

pub use error::OpenError;
pub use file::{FileOptions, open};
pub use frame::{Direction, Frame, Interface, InterfaceId, LATEST_NS, LinkType};
pub use source::{Damage, Input, Live, LiveState, Refusal, Sink, Source, Step};
