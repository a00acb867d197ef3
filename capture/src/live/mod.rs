//! Live sources: mirror ports read through AF_XDP, TPACKET_V3 or libpcap, whichever is the best that works.

mod advice;
mod bpf;
mod ethtool;
mod facts;
mod ladder;
mod machine;
mod netlink;
mod packet;
mod pcap;
mod port;
pub mod processors;
mod receiver;
pub mod rights;
mod socket_filter;
mod sys;
#[cfg(test)]
mod tests;
mod xdp;

use std::time::Duration;

use crate::error::OpenError;
use crate::source::Source;

pub use advice::Advice;
pub use facts::{Facts, Trial, probe};
pub use ladder::{Choice, Mode};
pub use machine::Machine;

/// How interfaces are captured from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Only frames that match this BPF expression are lent; the others are counted. It judges whole frames, VLAN tags in place, so
    /// that a live run and a replay of the same frames agree; in the kernel for TPACKET_V3 and libpcap where that may load
    /// programs, else in the process.
    pub filter: Option<String>,
    /// Which modes are tried.
    pub choice: Choice,
    /// Longest part of a frame that is lent, in bytes; 0 is all of it. Frames of several AF_XDP buffers are lent without a
    /// copy only up to the end of the first (about 3,800 bytes).
    pub snaplen: u32,
    /// The same for single interfaces, by name.
    pub snaplens: Vec<(String, u32)>,
    /// Memory for frames, in bytes per source.
    pub ring_bytes: usize,
    /// Sources per interface in modes without queues (TPACKET_V3: fan-out by conversation). AF_XDP has one per queue.
    pub fan_out: u16,
    /// How long a source sleeps that finds nothing; zero leaves that to who asks.
    pub nap: Duration,
}

impl LiveOptions {
    /// Longest part of an interface's frames that is lent, in bytes; 0 is all of it.
    pub fn snaplen_of(&self, interface: &str) -> u32 {
        let own = self.snaplens.iter().find(|(name, _)| name == interface);
        own.map_or(self.snaplen, |(_, snaplen)| *snaplen)
    }

    /// What a receiver cuts at: nothing where a filter is to see whole frames.
    fn receiver_snaplen(&self, interface: &str) -> u32 {
        if self.filter.is_some() { 0 } else { self.snaplen_of(interface) }
    }
}

/// Microseconds of `CLOCK_MONOTONIC`, which service managers compare times by.
pub fn monotonic_us() -> u64 {
    sys::clock_ns(libc::CLOCK_MONOTONIC) / 1_000
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            filter: None,
            choice: Choice::Best,
            snaplen: 0,
            snaplens: Vec::new(),
            ring_bytes: 64 * 1024 * 1024,
            fan_out: 1,
            nap: Duration::from_micros(200),
        }
    }
}

/// Opens interfaces for capture: one source per receive queue (AF_XDP) or member of the fan-out group, in the order of the
/// interfaces, each with its own thread to be.
///
/// Every mode from the best down is tried; [`crate::Input::live`] says which was taken and why not the better ones. A source
/// never ends by itself: an interface that goes down or away is waited for.
///
/// # Errors
/// When an interface can be captured from in no mode, with the reason for each; when the filter can't be compiled.
pub fn open(interfaces: &[String], options: &LiveOptions) -> Result<Vec<Box<dyn Source>>, OpenError> {
    if interfaces.is_empty() {
        return Err(OpenError::NoInput);
    }
    if let Some(filter) = &options.filter {
        crate::filter::check(filter, &[])?;
    }
    sys::raise_memory_lock_limit();
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for interface in interfaces {
        for source in ladder::open(interface, options)? {
            sources.push(Box::new(source));
        }
    }
    Ok(sources)
}
