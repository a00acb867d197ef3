//! Rings shared with the kernel: one side writes entries and moves `producer`, the other reads them and moves `consumer`.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::live::sys::Memory;

/// `struct xdp_desc`: a buffer with (a part of) a frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Descriptor {
    pub(crate) address: u64,
    pub(crate) len: u32,
    options: u32,
}

impl Descriptor {
    /// Whether the frame goes on in the next buffer.
    pub(crate) fn continues(self) -> bool {
        self.options & libc::XDP_PKT_CONTD != 0
    }
}

/// A ring of entries of one type.
pub(crate) struct Ring<T> {
    /// Keeps the memory mapped that the pointers lead into.
    _memory: Memory,
    producer: *const AtomicU32,
    consumer: *const AtomicU32,
    flags: *const AtomicU32,
    entries: *mut T,
    size: u32,
}

// SAFETY: the pointers lead into the mapping that the ring owns; whoever holds the ring is our only side of it.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T: Copy> Ring<T> {
    /// Maps a ring of `size` entries, a power of two, of a socket.
    pub(crate) fn map(socket: &OwnedFd, offsets: &libc::xdp_ring_offset, size: u32, page: i64) -> io::Result<Self> {
        let entries_len = size as usize * size_of::<T>();
        let memory = Memory::of_socket(socket, offsets.desc as usize + entries_len, page)?;
        let word = |offset: u64| memory.at::<AtomicU32>(offset as usize, 4).map(<*mut _>::cast_const);
        let pointers = (
            word(offsets.producer),
            word(offsets.consumer),
            word(offsets.flags),
            memory.at(offsets.desc as usize, entries_len),
        );
        let (Some(producer), Some(consumer), Some(flags), Some(entries)) = pointers else {
            return Err(io::Error::other("the kernel describes a ring that does not fit its memory"));
        };
        Ok(Self { _memory: memory, producer, consumer, flags, entries, size })
    }

    fn word(&self, pointer: *const AtomicU32) -> &AtomicU32 {
        // SAFETY: checked in `map` to lie, aligned, within the mapping that `self` owns.
        unsafe { &*pointer }
    }

    fn entry(&self, position: u32) -> *mut T {
        // SAFETY: `size` is a power of two, so the index is below it, and so many entries lie within the mapping.
        unsafe { self.entries.add((position & (self.size - 1)) as usize) }
    }

    /// Whether the kernel waits to be told of new entries.
    pub(crate) fn needs_wakeup(&self) -> bool {
        self.word(self.flags).load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    /// Entries that the kernel wrote and we did not take: how many, from which position on.
    pub(crate) fn readable(&self) -> (u32, u32) {
        let from = self.word(self.consumer).load(Ordering::Relaxed);
        (self.word(self.producer).load(Ordering::Acquire).wrapping_sub(from).min(self.size), from)
    }

    /// An entry within what is readable.
    pub(crate) fn read(&self, position: u32) -> T {
        // SAFETY: within the mapping (`entry`); the kernel published it before `producer`, which was acquired.
        unsafe { self.entry(position).read() }
    }

    /// Gives `count` read entries back to the kernel.
    pub(crate) fn release(&mut self, count: u32) {
        let consumer = self.word(self.consumer);
        consumer.store(consumer.load(Ordering::Relaxed).wrapping_add(count), Ordering::Release);
    }

    /// Writes entries for the kernel as far as there is room; says how many.
    pub(crate) fn write(&mut self, mut entries: impl Iterator<Item = T>) -> u32 {
        let from = self.word(self.producer).load(Ordering::Relaxed);
        let used = from.wrapping_sub(self.word(self.consumer).load(Ordering::Acquire));
        let mut written = 0;
        while used + written < self.size {
            let Some(entry) = entries.next() else { break };
            // SAFETY: within the mapping (`entry`); the kernel reads it only once `producer` is past it.
            unsafe { self.entry(from.wrapping_add(written)).write(entry) };
            written += 1;
        }
        self.word(self.producer).store(from.wrapping_add(written), Ordering::Release);
        written
    }
}
