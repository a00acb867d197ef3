//! What a driver says of its device, by the ethtool ioctl (linux/ethtool.h). Whatever a driver does not tell is absent.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use crate::live::sys;

const SIOCETHTOOL: u64 = 0x8946;
const GSET: u32 = 0x1;
const GDRVINFO: u32 = 0x3;
const GRINGPARAM: u32 = 0x10;
const GFLAGS: u32 = 0x25;
const GGRO: u32 = 0x2b;
const GCHANNELS: u32 = 0x3c;
const GET_TS_INFO: u32 = 0x41;
const FLAG_RXVLAN: u32 = 1 << 8;
const FLAG_LRO: u32 = 1 << 15;
/// `SOF_TIMESTAMPING_RX_HARDWARE`.
const RX_HARDWARE: u32 = 1 << 2;
/// Largest structure that is asked for here, in bytes.
const ROOM: usize = 512;

/// Questions about one interface.
pub(crate) struct Ethtool {
    socket: OwnedFd,
    name: [u8; 16],
}

/// `struct ifreq`, with a pointer for its union.
#[repr(C)]
struct Request {
    name: [u8; 16],
    data: *mut u8,
    rest: [u8; 16],
}

impl Ethtool {
    pub(crate) fn new(interface: &str) -> Option<Self> {
        let mut name = [0; 16];
        name.get_mut(..interface.len()).filter(|n| n.len() < 16)?.copy_from_slice(interface.as_bytes());
        Some(Self { socket: sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).ok()?, name })
    }

    fn ask(&self, command: u32) -> Option<[u8; ROOM]> {
        let mut answer = [0; ROOM];
        answer.iter_mut().zip(command.to_ne_bytes()).for_each(|(to, from)| *to = from);
        let mut request = Request { name: self.name, data: answer.as_mut_ptr(), rest: [0; 16] };
        // SAFETY: the request is a whole `ifreq`; the kernel writes the structure of the command, of at most 196 bytes for
        // those above, to the larger answer.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        (result == 0).then_some(answer)
    }

    /// Name of the driver.
    pub(crate) fn driver(&self) -> Option<String> {
        let answer = self.ask(GDRVINFO)?;
        let name: Vec<u8> = answer.iter().skip(4).take(32).copied().take_while(u8::is_ascii_graphic).collect();
        String::from_utf8(name).ok().filter(|n| !n.is_empty())
    }

    /// Receive queues in use.
    pub(crate) fn queues(&self) -> Option<u32> {
        // max rx, tx, other, combined; then the same in use.
        let answer = self.ask(GCHANNELS)?;
        Some(word(&answer, 20) + word(&answer, 32)).filter(|n| *n > 0)
    }

    /// Entries of the receive ring: in use, at most.
    pub(crate) fn ring(&self) -> Option<(u32, u32)> {
        let answer = self.ask(GRINGPARAM)?;
        Some((word(&answer, 20), word(&answer, 4))).filter(|(_, most)| *most > 0)
    }

    /// Whether the device takes VLAN tags out of frames.
    pub(crate) fn takes_tags(&self) -> Option<bool> {
        self.ask(GFLAGS).map(|answer| word(&answer, 4) & FLAG_RXVLAN != 0)
    }

    /// Whether received segments are joined: by software (GRO), by the device (LRO).
    pub(crate) fn joins_segments(&self) -> (Option<bool>, Option<bool>) {
        let software = self.ask(GGRO).map(|answer| word(&answer, 4) != 0);
        (software, self.ask(GFLAGS).map(|answer| word(&answer, 4) & FLAG_LRO != 0))
    }

    /// Whether the device stamps received frames with a clock of its own.
    pub(crate) fn stamps(&self) -> Option<bool> {
        self.ask(GET_TS_INFO).map(|answer| word(&answer, 4) & RX_HARDWARE != 0)
    }

    /// Speed in bit/s.
    pub(crate) fn speed_bps(&self) -> Option<u64> {
        let answer = self.ask(GSET)?;
        // struct ethtool_cmd: the lower and the upper half of the speed in Mbit/s.
        let half = |at: usize| answer.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b));
        let mbps = u32::from(half(12)) | u32::from(half(28)) << 16;
        (mbps != 0 && mbps != u32::MAX && mbps != 0xffff).then(|| u64::from(mbps) * 1_000_000)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}
