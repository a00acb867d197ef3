//! An AF_XDP socket, its memory for frames, its two rings.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use crate::live::sys::{self, Memory};
use crate::live::xdp::rings::{Descriptor, Ring};
use crate::live::xdp::{RETRIES, RETRY_AFTER, Way};

/// Bytes of a buffer: the largest that every kernel takes. The kernel leaves 256 of them in front of the frame.
pub(crate) const CHUNK: usize = 4096;
/// Fewest buffers of a socket.
const MIN_CHUNKS: usize = 64;
/// Most buffers of a socket: 4 GiB.
const MAX_CHUNKS: usize = 1 << 20;

/// A bound socket. All its buffers are in the fill ring, in the kernel's hands, in the receive ring or with its user.
pub(crate) struct Socket {
    // The socket goes before its memory does.
    socket: OwnedFd,
    received: Ring<Descriptor>,
    fill: Ring<u64>,
    memory: Memory,
    pub(crate) huge_pages: bool,
    /// It has less memory than was asked for: the limit of locked memory is too low.
    pub(crate) is_short: bool,
}

impl Socket {
    /// Opens a socket with as much memory as was asked for, or as may be locked.
    ///
    /// Waits for a queue whose last socket was closed just now, for the kernel lets go of it some milliseconds later.
    pub(crate) fn open(interface: u32, queue: u32, way: Way, ring_bytes: usize) -> io::Result<Self> {
        let wanted = (ring_bytes / CHUNK).clamp(MIN_CHUNKS, MAX_CHUNKS).next_power_of_two();
        let (mut chunks, mut retries) = (wanted, 0);
        loop {
            match Self::with_chunks(interface, queue, way, chunks) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) && retries < RETRIES => {
                    retries += 1;
                    std::thread::sleep(RETRY_AFTER);
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && chunks > MIN_CHUNKS => chunks /= 2,
                opened => return opened.map(|socket| Self { is_short: chunks < wanted, ..socket }),
            }
        }
    }

    /// Opens a socket on a queue, with all its buffers ready for frames.
    fn with_chunks(interface: u32, queue: u32, way: Way, chunks: usize) -> io::Result<Self> {
        let socket = sys::socket(libc::AF_XDP, libc::SOCK_RAW, 0)?;
        let (memory, huge_pages) = Memory::fresh(chunks * CHUNK)?;
        let mut region: libc::xdp_umem_reg = sys::zeroed();
        region.addr = memory.address();
        region.len = memory.len() as u64;
        region.chunk_size = CHUNK as u32;
        sys::set_option(&socket, libc::SOL_XDP, libc::XDP_UMEM_REG, &region)?;
        for ring in [libc::XDP_UMEM_FILL_RING, libc::XDP_RX_RING] {
            sys::set_option(&socket, libc::SOL_XDP, ring, &(chunks as u32))?;
        }
        // Nothing is sent; the kernel wants this ring nevertheless.
        sys::set_option(&socket, libc::SOL_XDP, libc::XDP_UMEM_COMPLETION_RING, &64_u32)?;
        let offsets: libc::xdp_mmap_offsets = sys::get_option(&socket, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS)?;
        let received = Ring::map(&socket, &offsets.rx, chunks as u32, libc::XDP_PGOFF_RX_RING)?;
        let mut fill = Ring::map(&socket, &offsets.fr, chunks as u32, libc::XDP_UMEM_PGOFF_FILL_RING as i64)?;
        fill.write((0..chunks as u64).map(|at| at * CHUNK as u64));
        sys::bind(&socket, &address(interface, queue, way))?;
        Ok(Self { socket, received, fill, memory, huge_pages, is_short: false })
    }

    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.socket
    }

    pub(crate) fn chunks(&self) -> usize {
        self.memory.len() / CHUNK
    }

    /// Takes the descriptors of up to `frames` whole frames.
    pub(crate) fn take(&mut self, frames: usize, taken: &mut Vec<Descriptor>) {
        taken.clear();
        let (count, from) = self.received.readable();
        let (mut whole, mut found) = (0, 0);
        for at in 0..count {
            let descriptor = self.received.read(from.wrapping_add(at));
            taken.push(descriptor);
            if !descriptor.continues() {
                (whole, found) = (taken.len(), found + 1);
                if found == frames {
                    break;
                }
            }
        }
        taken.truncate(whole);
        self.received.release(whole as u32);
    }

    /// Bytes of a taken buffer.
    pub(crate) fn bytes(&self, descriptor: Descriptor) -> &[u8] {
        // SAFETY: a taken buffer is ours until it is given back, which needs `&mut self`.
        unsafe { self.memory.bytes(descriptor.address as usize, descriptor.len as usize) }
    }

    /// The `len` bytes in front of a taken buffer's frame; empty if there are none.
    pub(crate) fn front_mut(&mut self, descriptor: Descriptor, len: usize) -> &mut [u8] {
        let Some(at) = (descriptor.address as usize).checked_sub(len) else { return &mut [] };
        // SAFETY: as for `bytes`; the kernel's headroom in front of the frame belongs to the same buffer.
        unsafe { self.memory.bytes_mut(at, len) }
    }

    /// Gives taken buffers back to be filled again.
    pub(crate) fn give_back(&mut self, taken: &[Descriptor]) {
        // There is room for all: the ring has as many entries as there are buffers.
        self.fill.write(taken.iter().map(|d| d.address & !(CHUNK as u64 - 1)));
        self.wake_if_needed();
    }

    /// Tells the driver of free buffers, if it waits for them.
    pub(crate) fn wake_if_needed(&self) {
        if self.fill.needs_wakeup() {
            sys::wake(&self.socket);
        }
    }

    pub(crate) fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        sys::get_option(&self.socket, libc::SOL_XDP, libc::XDP_STATISTICS)
    }
}

fn address(interface: u32, queue: u32, way: Way) -> libc::sockaddr_xdp {
    let copy = if way.zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
    let several = if way.multi_buffer { libc::XDP_USE_SG } else { 0 };
    let mut address: libc::sockaddr_xdp = sys::zeroed();
    address.sxdp_family = libc::AF_XDP as u16;
    address.sxdp_flags = copy | several | libc::XDP_USE_NEED_WAKEUP;
    address.sxdp_ifindex = interface;
    address.sxdp_queue_id = queue;
    address
}
