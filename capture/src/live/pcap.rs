//! libpcap: works wherever anything does. Frames are copied once, into the batch.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use pcap::{Active, Capture, Direction as PcapDirection, Precision};

use crate::frame::{Direction, Frame, InterfaceId, LinkType};
use crate::live::receiver::{Lost, Receiver};
use crate::live::socket_filter::{SocketFilter, Tried};

/// Frames of one batch.
const BATCH: usize = 256;
/// Longest frame that is captured, in bytes.
const WHOLE: i32 = 256 * 1024;
/// libpcap hands over what it has after so many milliseconds.
const TIMEOUT_MS: i32 = 4;

/// An interface opened by libpcap.
pub(crate) struct Pcap {
    capture: Capture<Active>,
    link_type: LinkType,
    filter: Tried,
    bytes: Vec<u8>,
    found: Vec<Found>,
    /// Frames whose tag libpcap put back.
    tagged: u64,
}

/// Types of the tags that lie beside frames: 802.1Q, 802.1ad.
const TAGS: [[u8; 2]; 2] = [[0x81, 0], [0x88, 0xa8]];

struct Found {
    range: Range<usize>,
    wire_len: u32,
    at_ns: u64,
}

impl Pcap {
    pub(crate) fn open(interface: &str, ring_bytes: usize, snaplen: u32, filter: Option<&str>) -> Result<Self, String> {
        let snaplen = if snaplen == 0 { WHOLE } else { i32::try_from(snaplen).unwrap_or(WHOLE).min(WHOLE) };
        let capture = Capture::from_device(interface)
            .and_then(|inactive| {
                let buffer = i32::try_from(ring_bytes).unwrap_or(i32::MAX);
                let inactive = inactive.promisc(true).snaplen(snaplen).buffer_size(buffer).timeout(TIMEOUT_MS);
                inactive.precision(Precision::Nano).open()
            })
            .and_then(Capture::setnonblock);
        let capture = capture.map_err(|e| e.to_string())?;
        // Not every device can tell; then what this host sends is captured too.
        let _ = capture.direction(PcapDirection::In);
        let link_type = LinkType::from_number(u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX));
        let filter = Tried(filter.map(|expression| match link_type {
            LinkType::Ethernet => SocketFilter::on(expression, capture.as_raw_fd()),
            other => Err(format!("link type {}", other.name())),
        }));
        Ok(Self { capture, link_type, filter, bytes: Vec::new(), found: Vec::with_capacity(BATCH), tagged: 0 })
    }

    /// Copies what is there, up to a batch.
    fn fetch(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.found.clear();
        while self.found.len() < BATCH {
            match self.capture.next_packet() {
                Ok(packet) => {
                    let from = self.bytes.len();
                    self.bytes.extend_from_slice(packet.data);
                    self.tagged += u64::from(TAGS.iter().any(|tag| packet.data.get(12..14) == Some(tag)));
                    let time = packet.header.ts;
                    self.found.push(Found {
                        range: from..self.bytes.len(),
                        wire_len: packet.header.len,
                        // Nanoseconds stand where microseconds usually do.
                        at_ns: time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64,
                    });
                }
                Err(pcap::Error::TimeoutExpired | pcap::Error::NoMorePackets) => break,
                Err(error) if self.found.is_empty() => return Err(io::Error::other(error)),
                Err(_) => break,
            }
        }
        Ok(())
    }
}

impl Receiver for Pcap {
    fn receive(&mut self, lend: &mut dyn FnMut(&mut Vec<Frame<'_>>)) -> io::Result<usize> {
        self.fetch()?;
        if self.found.is_empty() {
            return Ok(0);
        }
        let frame = |f: &Found| Frame {
            bytes: self.bytes.get(f.range.clone()).unwrap_or_default(),
            at_ns: f.at_ns,
            wire_len: f.wire_len,
            interface: InterfaceId(0),
            direction: Direction::In,
        };
        let mut frames: Vec<Frame<'_>> = self.found.iter().map(frame).collect();
        lend(&mut frames);
        Ok(self.found.len())
    }

    fn left_out(&self) -> u64 {
        self.filter.left_out()
    }

    fn notes(&self) -> Vec<String> {
        self.filter.note().into_iter().collect()
    }

    fn misses_kernel_drops(&self) -> Option<u64> {
        Some(self.filter.tagged(self.tagged))
    }

    fn lost(&mut self) -> io::Result<Lost> {
        let counted = self.capture.stats().map_err(io::Error::other)?;
        Ok(Lost { ring: counted.dropped.into(), interface: counted.if_dropped.into(), ..Lost::default() })
    }

    fn link_type(&self) -> LinkType {
        self.link_type
    }
}
