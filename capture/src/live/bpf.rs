//! The XDP program that hands frames to AF_XDP sockets: assembled here, loaded by bpf(2), attached by a link that goes
//! with the process.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::live::sys::{Memory, check};

const BPF_MAP_CREATE: i32 = 0;
const BPF_MAP_UPDATE_ELEM: i32 = 2;
const BPF_MAP_DELETE_ELEM: i32 = 3;
const BPF_PROG_LOAD: i32 = 5;
const BPF_LINK_CREATE: i32 = 28;
const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_XSKMAP: u32 = 17;
/// The values of an array can be mapped into memory.
const MAPPABLE: u32 = 1 << 10;
const PROG_TYPE_SOCKET_FILTER: u32 = 1;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// The program copes with frames of several buffers.
const HAS_FRAGS: u32 = 1 << 5;
const XDP_PASS: i32 = 2;

/// Bytes of metadata in front of a frame: [`STAMP_MARK`], then nanoseconds of `CLOCK_TAI`.
pub(crate) const STAMP_LEN: usize = 16;
/// Tells a time stamp from whatever else lies in front of a frame.
pub(crate) const STAMP_MARK: u64 = 0x6661_6272_6963_7473;

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// By the kernel, after the driver made a socket buffer.
    Generic = 1 << 1,
    /// In the driver.
    Native = 1 << 2,
}

/// One instruction: operation, registers, offset, immediate (<https://docs.kernel.org/bpf/standardization/instruction-set.html>).
pub(crate) fn ins(op: u8, dst: u8, src: u8, off: i16, imm: i32) -> u64 {
    let low = u64::from(op) | u64::from(dst) << 8 | u64::from(src) << 12 | u64::from(off as u16) << 16;
    low | u64::from(imm as u32) << 32
}

const MOV_IMM: u8 = 0xb7;
const MOV_REG: u8 = 0xbf;
const ADD_IMM: u8 = 0x07;
const LOAD_WORD: u8 = 0x61;
const STORE_DOUBLE: u8 = 0x7b;
const LOAD_IMM64: u8 = 0x18;
const JUMP_NOT_ZERO: u8 = 0x55;
const JUMP_GREATER: u8 = 0x2d;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const PSEUDO_MAP_FD: u8 = 1;

const REDIRECT_MAP: i32 = 51;
const XDP_ADJUST_META: i32 = 54;
const KTIME_GET_TAI_NS: i32 = 208;

/// Fields of `struct xdp_md`.
const DATA: i16 = 0;
const DATA_META: i16 = 8;
const RX_QUEUE: i16 = 16;

fn load_imm64(dst: u8, src: u8, value: u64) -> [u64; 2] {
    [ins(LOAD_IMM64, dst, src, 0, value as u32 as i32), ins(0, 0, 0, 0, (value >> 32) as i32)]
}

/// Redirects a frame to the socket of its queue; where there is none the frame goes on to the system.
fn redirect(map: i32) -> Vec<u64> {
    let mut code = vec![ins(LOAD_WORD, 2, 6, RX_QUEUE, 0)];
    code.extend(load_imm64(1, PSEUDO_MAP_FD, map as u32 as u64));
    code.extend([ins(MOV_IMM, 3, 0, 0, XDP_PASS), ins(CALL, 0, 0, 0, REDIRECT_MAP), ins(EXIT, 0, 0, 0, 0)]);
    code
}

/// Puts the time in front of the frame, where the driver leaves room for it.
fn stamp() -> Vec<u64> {
    let mut code = vec![
        ins(MOV_REG, 1, 6, 0, 0),
        ins(MOV_IMM, 2, 0, 0, -(STAMP_LEN as i32)),
        ins(CALL, 0, 0, 0, XDP_ADJUST_META),
        // No room: past the 10 instructions below.
        ins(JUMP_NOT_ZERO, 0, 0, 10, 0),
        ins(CALL, 0, 0, 0, KTIME_GET_TAI_NS),
        ins(LOAD_WORD, 2, 6, DATA_META, 0),
        ins(LOAD_WORD, 3, 6, DATA, 0),
        ins(MOV_REG, 4, 2, 0, 0),
        ins(ADD_IMM, 4, 0, 0, STAMP_LEN as i32),
        // The verifier wants to see that the metadata ends before the frame.
        ins(JUMP_GREATER, 4, 3, 4, 0),
        ins(STORE_DOUBLE, 2, 0, 8, 0),
    ];
    code.extend(load_imm64(1, 0, STAMP_MARK));
    code.push(ins(STORE_DOUBLE, 2, 1, 0, 0));
    code
}

fn program(map: i32, stamped: bool) -> Vec<u64> {
    let mut code = vec![ins(MOV_REG, 6, 1, 0, 0)];
    if stamped {
        code.extend(stamp());
    }
    code.extend(redirect(map));
    code
}

fn bpf<T>(command: i32, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of the attributes; the callers below fill in the structure that the
    // command expects, with pointers to values that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    check(result as libc::c_int)
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the descriptor was just returned by bpf(2) and is ours alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Map from queue to socket.
pub(crate) struct SocketMap(OwnedFd);

impl SocketMap {
    pub(crate) fn new(queues: u32) -> io::Result<Self> {
        // map_type, key_size, value_size, max_entries.
        bpf(BPF_MAP_CREATE, &[MAP_TYPE_XSKMAP, 4, 4, queues]).map(|fd| Self(owned(fd)))
    }

    /// From now on frames of `queue` go to `socket`.
    pub(crate) fn insert(&self, queue: u32, socket: &OwnedFd) -> io::Result<()> {
        let value = socket.as_raw_fd();
        // map_fd, key, value, flags.
        let attributes: [u64; 4] = [self.0.as_raw_fd() as u64, &raw const queue as u64, &raw const value as u64, 0];
        bpf(BPF_MAP_UPDATE_ELEM, &attributes).map(drop)
    }

    /// From now on no socket gets the frames of `queue`.
    pub(crate) fn remove(&self, queue: u32) {
        // map_fd, key. It is no error if there is no socket any more.
        let _ = bpf(BPF_MAP_DELETE_ELEM, &[self.0.as_raw_fd() as u64, &raw const queue as u64]);
    }
}

/// Attributes of `BPF_PROG_LOAD`, up to the last one used.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach: u32,
}

fn load(kind: u32, attach: u32, flags: u32, code: &[u64]) -> io::Result<OwnedFd> {
    let attributes = LoadAttributes {
        kind,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags,
        name: *b"fabricscope\0\0\0\0\0",
        interface: 0,
        attach,
    };
    bpf(BPF_PROG_LOAD, &attributes).map(owned)
}

/// Loads a program for sockets.
pub(crate) fn load_socket_filter(code: &[u64]) -> io::Result<OwnedFd> {
    load(PROG_TYPE_SOCKET_FILTER, 0, 0, code)
}

/// Numbers that a program counts with and this process reads: a map of one value of 24 bytes.
pub(crate) struct Counts(OwnedFd);

impl Counts {
    pub(crate) fn new() -> io::Result<Self> {
        // map_type, key_size, value_size, max_entries, map_flags.
        bpf(BPF_MAP_CREATE, &[MAP_TYPE_ARRAY, 4, 24, 1, MAPPABLE]).map(|fd| Self(owned(fd)))
    }

    /// Of the map, for a program's code.
    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The value itself; it lives as long as the memory or a program that counts.
    pub(crate) fn shared(&self) -> io::Result<Memory> {
        Memory::of_socket(&self.0, 4096, 0)
    }
}

/// A loaded program.
pub(crate) struct XdpProgram(OwnedFd);

impl XdpProgram {
    /// Loads the program; `frags` for frames of several buffers, `stamped` for time stamps.
    pub(crate) fn load(map: &SocketMap, frags: bool, stamped: bool) -> io::Result<Self> {
        let code = program(map.0.as_raw_fd(), stamped);
        load(PROG_TYPE_XDP, ATTACH_XDP, if frags { HAS_FRAGS } else { 0 }, &code).map(Self)
    }

    /// Attaches the program to an interface for as long as the returned link is open.
    pub(crate) fn attach(&self, interface: u32, attach: Attach) -> io::Result<OwnedFd> {
        // prog_fd, target_ifindex, attach_type, flags.
        bpf(BPF_LINK_CREATE, &[self.0.as_raw_fd() as u32, interface, ATTACH_XDP, attach as u32]).map(owned)
    }
}
