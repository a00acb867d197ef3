//! What frames mean.
//!
//! This room has no clock, no socket, no thread, no file: time arrives inside frames, and the same frames give the
//! same result byte for byte whether they come from a file or from a wire, slowly or fast, in small batches or large.
//!
//! The journey: [`wire`] reads a frame into a [`packet::Packet`]; a worker finds its link and its flow, lets the
//! conversation and the meters observe it, and each stretch of packet time hands over a mergeable [`tick::Tick`];
//! the fabric merges ticks, lets the detectors judge and publishes a [`report::Report`].

pub mod availability;
mod by_link;
pub mod control;
pub mod detect;
pub mod dpi;
pub mod fabric;
pub mod jobs;
pub mod packet;
pub mod policy;
pub mod report;
pub mod sketch;
pub mod slot;
pub mod text;
pub mod tick;
mod tick_merge;
mod tick_message;
pub mod topology;
pub mod verdict;
pub mod wire;
pub mod worker;
