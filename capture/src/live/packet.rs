//! TPACKET_V3 (<https://docs.kernel.org/networking/packet_mmap.html>): a ring of blocks that the kernel fills with frames.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::frame::{Direction, Frame, InterfaceId};
use crate::live::receiver::{Lost, Receiver};
use crate::live::socket_filter::{SocketFilter, Tried};
use crate::live::sys::{self, Memory};

// linux/if_packet.h
const SOL_PACKET: i32 = 263;
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_RX_RING: i32 = 5;
const PACKET_STATISTICS: i32 = 6;
const PACKET_VERSION: i32 = 10;
const PACKET_RESERVE: i32 = 12;
const PACKET_FANOUT: i32 = 18;
const PACKET_IGNORE_OUTGOING: i32 = 23;
const TPACKET_V3: u32 = 2;
const MR_PROMISC: u16 = 1;
const FANOUT_HASH: u32 = 0;
const FANOUT_DEFRAG: u32 = 0x8000;
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;
const STATUS_VLAN: u32 = 1 << 4;
const STATUS_VLAN_TPID: u32 = 1 << 6;
const ETH_P_ALL: u16 = 3;
const ETH_P_8021Q: u16 = 0x8100;

/// Bytes of a block.
const BLOCK: usize = 1 << 20;
/// Fewest blocks of a ring.
const MIN_BLOCKS: usize = 4;
/// A block that is not full is handed over after so many milliseconds: a link that falls silent is to be seen in 20.
const RETIRE_MS: u32 = 4;
/// Room in front of each frame, into which its addresses move when a VLAN tag is put back.
const RESERVE: u32 = 4;
/// Bytes of both Ethernet addresses.
const ADDRESSES: usize = 12;
/// Frames of one batch.
const BATCH: usize = 256;

/// Offsets in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const BLOCK_COUNT: usize = 12;
const BLOCK_FIRST: usize = 16;

/// A ring on an interface.
pub(crate) struct Packet {
    // The socket goes before its ring does.
    socket: OwnedFd,
    ring: Memory,
    blocks: usize,
    /// The block being read, and where in it: frames left, offset of the next.
    block: usize,
    left: u32,
    next: usize,
    snaplen: usize,
    filter: Tried,
    dropped: u64,
    /// Frames that had a tag beside them.
    tagged: u64,
}

impl Packet {
    /// Opens a ring; rings of the same `group` share the frames among them by conversation.
    pub(crate) fn open(
        index: u32,
        ring_bytes: usize,
        snaplen: u32,
        group: Option<u16>,
        filter: Option<&str>,
    ) -> io::Result<Self> {
        // Protocol 0: nothing arrives before the ring is ready.
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let set = |name, value: u32| sys::set_option(&socket, SOL_PACKET, name, &value);
        set(PACKET_VERSION, TPACKET_V3)?;
        set(PACKET_RESERVE, RESERVE)?;
        set(PACKET_IGNORE_OUTGOING, 1)?;
        let blocks = (ring_bytes / BLOCK).max(MIN_BLOCKS);
        // struct tpacket_req3: block size and count, frame size and count, timeout, private bytes, features.
        let frames = (BLOCK / 2048 * blocks) as u32;
        let request = [BLOCK as u32, blocks as u32, 2048, frames, RETIRE_MS, 0, 0];
        sys::set_option(&socket, SOL_PACKET, PACKET_RX_RING, &request)?;
        let ring = Memory::of_socket(&socket, blocks * BLOCK, 0)?;
        if snaplen > 0 {
            sys::take_bytes(&socket, snaplen)?;
        }
        let filter = Tried(filter.map(|expression| SocketFilter::on(expression, socket.as_raw_fd())));
        join_promiscuous(&socket, index)?;
        sys::bind(&socket, &address(index))?;
        if let Some(group) = group {
            set(PACKET_FANOUT, u32::from(group) | (FANOUT_HASH | FANOUT_DEFRAG) << 16)?;
        }
        let snaplen = if snaplen == 0 { usize::MAX } else { snaplen as usize };
        Ok(Self { socket, ring, blocks, block: 0, left: 0, next: 0, snaplen, filter, dropped: 0, tagged: 0 })
    }

    fn status(&self) -> Option<&AtomicU32> {
        let pointer = self.ring.at::<AtomicU32>(self.block * BLOCK + BLOCK_STATUS, 4)?;
        // SAFETY: aligned and within the mapping that `self` owns; both sides use it as one atomic word.
        Some(unsafe { &*pointer })
    }

    /// Begins the next block, if the kernel has handed it over.
    fn begin_block(&mut self) -> bool {
        if self.left > 0 {
            return true;
        }
        if self.status().is_none_or(|s| s.load(Ordering::Acquire) & STATUS_USER == 0) {
            return false;
        }
        let head = self.held(self.block * BLOCK, BLOCK_FIRST + 4);
        let (count, first) = (word(head, BLOCK_COUNT), word(head, BLOCK_FIRST) as usize);
        self.left = count;
        self.next = self.block * BLOCK + first;
        if self.left == 0 {
            self.end_block();
        }
        self.left > 0
    }

    /// Gives the block back to the kernel.
    fn end_block(&mut self) {
        if let Some(status) = self.status() {
            status.store(STATUS_KERNEL, Ordering::Release);
        }
        self.left = 0;
        self.block = (self.block + 1) % self.blocks;
    }

    fn held(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: only called for the block that the kernel has handed over, until it is given back by `&mut self`.
        unsafe { self.ring.bytes(offset, len) }
    }

    /// Finds the frames of the block from the next on, putting their VLAN tags back.
    fn find(&mut self) -> Vec<Found> {
        let mut found = Vec::with_capacity(BATCH);
        while self.left > 0 && found.len() < BATCH {
            let head = self.held(self.next, HEAD);
            if head.len() < HEAD {
                self.left = 0;
                break;
            }
            let (mut frame, step) = (Found::read(head, self.next), word(head, 0) as usize);
            if let Some(tag) = frame.tag {
                self.tagged += 1;
                self.put_back(&mut frame, tag);
            }
            found.push(frame);
            self.left -= 1;
            // 0 stands at the last frame of a block.
            self.next += step;
        }
        found
    }

    /// Moves the addresses forward and writes the tag behind them.
    fn put_back(&mut self, frame: &mut Found, tag: [u8; 4]) {
        let (Some(start), true) = (frame.start.checked_sub(4), frame.len >= ADDRESSES) else { return };
        // SAFETY: the block is ours (see `held`), and the four bytes in front of the frame were reserved.
        let bytes = unsafe { self.ring.bytes_mut(start, ADDRESSES + 4) };
        if bytes.len() == ADDRESSES + 4 {
            bytes.copy_within(4.., 0);
            bytes.iter_mut().skip(ADDRESSES).zip(tag).for_each(|(to, from)| *to = from);
            frame.start = start;
            frame.len += 4;
            frame.wire_len += 4;
        }
    }
}

impl Receiver for Packet {
    fn receive(&mut self, lend: &mut dyn FnMut(&mut Vec<Frame<'_>>)) -> io::Result<usize> {
        if !self.begin_block() {
            return Ok(0);
        }
        let found = self.find();
        let mut frames: Vec<Frame<'_>> = found.iter().map(|f| f.frame(self)).collect();
        lend(&mut frames);
        drop(frames);
        if self.left == 0 {
            self.end_block();
        }
        Ok(found.len())
    }

    fn stop(&mut self) {
        // A filter that takes nothing; what it leaves out is no loss.
        let _ = sys::take_nothing(&self.socket);
    }

    fn left_out(&self) -> u64 {
        self.filter.left_out()
    }

    fn misses_kernel_drops(&self) -> Option<u64> {
        Some(self.filter.tagged(self.tagged))
    }

    fn lost(&mut self) -> io::Result<Lost> {
        // struct tpacket_stats_v3: packets, drops, times the ring was frozen; all begin anew at each reading.
        let [_, drops, _] = sys::get_option::<[u32; 3]>(&self.socket, SOL_PACKET, PACKET_STATISTICS)?;
        self.dropped += u64::from(drops);
        Ok(Lost { ring: self.dropped, ..Lost::default() })
    }

    fn notes(&self) -> Vec<String> {
        let memory = format!("{} MiB for frames", self.blocks * BLOCK / (1024 * 1024));
        [memory, "the kernel's time stamps".to_owned()].into_iter().chain(self.filter.note()).collect()
    }
}

/// Bytes of `struct tpacket3_hdr` and of the `struct sockaddr_ll` behind it that are read.
const HEAD: usize = 48 + 12;

/// A frame in the ring.
struct Found {
    start: usize,
    len: usize,
    wire_len: u32,
    at_ns: u64,
    /// The VLAN tag that lies beside the frame.
    tag: Option<[u8; 4]>,
    kind: u8,
}

impl Found {
    /// From `struct tpacket3_hdr`, at `offset` in the ring.
    fn read(head: &[u8], offset: usize) -> Self {
        let half = |at: usize| head.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b));
        let status = word(head, 20);
        let tpid = if status & STATUS_VLAN_TPID == 0 { ETH_P_8021Q } else { half(36) };
        let [a, b] = tpid.to_be_bytes();
        let [c, d] = (word(head, 32) as u16).to_be_bytes();
        Self {
            start: offset + usize::from(half(24)),
            len: word(head, 12) as usize,
            wire_len: word(head, 16),
            at_ns: u64::from(word(head, 4)) * 1_000_000_000 + u64::from(word(head, 8)),
            tag: (status & STATUS_VLAN != 0).then_some([a, b, c, d]),
            kind: head.get(48 + 10).copied().unwrap_or_default(),
        }
    }

    fn frame<'a>(&self, ring: &'a Packet) -> Frame<'a> {
        let bytes = ring.held(self.start, self.len);
        Frame {
            bytes: bytes.get(..ring.snaplen).unwrap_or(bytes),
            at_ns: self.at_ns,
            wire_len: self.wire_len.max(self.len as u32),
            interface: InterfaceId(0),
            direction: if self.kind == libc::PACKET_OUTGOING { Direction::Out } else { Direction::In },
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}

fn address(index: u32) -> libc::sockaddr_ll {
    let mut address: libc::sockaddr_ll = sys::zeroed();
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_ALL.to_be();
    address.sll_ifindex = index as i32;
    address
}

/// Makes an interface promiscuous for as long as the returned socket is open.
pub(crate) fn promiscuous(index: u32) -> io::Result<OwnedFd> {
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    join_promiscuous(&socket, index)?;
    Ok(socket)
}

fn join_promiscuous(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // struct packet_mreq: interface, type, length of address, address.
    let mut request = [0_u8; 16];
    let values = index.to_ne_bytes().into_iter().chain(MR_PROMISC.to_ne_bytes());
    request.iter_mut().zip(values).for_each(|(to, from)| *to = from);
    sys::set_option(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)
}
