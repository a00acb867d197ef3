//! The user's filter in the kernel: what it leaves out is never copied, and is counted.
//!
//! libpcap compiles for frames as files hold them. A socket sees them otherwise: the outermost VLAN tag lies beside the frame. So
//! the compiled program is translated to eBPF twice, for frames without a tag beside them and for those with one, whose bytes
//! 12 to 15 are the tag and whose later ones lie four bytes nearer. A load that begins on one side of the tag and could end on the
//! other passes the frame unjudged: it is judged once more in the process, where the tag is back in its place.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use libc::sock_filter as Classic;

use crate::filter::Program;
use crate::frame::LinkType;
use crate::live::bpf::{self, Counts, ins};
use crate::live::sys::{self, Memory};

/// What became of the user's filter, where there is one: on the socket, or why it is not.
pub(crate) struct Tried(pub Option<Result<SocketFilter, String>>);

impl Tried {
    fn there(&self) -> Option<&SocketFilter> {
        self.0.as_ref().and_then(|tried| tried.as_ref().ok())
    }

    /// Frames that it left out so far.
    pub(crate) fn left_out(&self) -> u64 {
        self.there().map_or(0, SocketFilter::left_out)
    }

    /// Frames with a tag beside them so far: those that came, where it is not there to see the others.
    pub(crate) fn tagged(&self, came: u64) -> u64 {
        self.there().map_or(came, |filter| filter.count(TAGGED))
    }

    /// Where the expression is judged, for people.
    pub(crate) fn note(&self) -> Option<String> {
        Some(match self.0.as_ref()? {
            Ok(_) => "the filter runs in the kernel; what it leaves out is counted".to_owned(),
            Err(why) => format!("the filter runs in this process, not in the kernel: {why}"),
        })
    }
}

/// A filter on its way to one socket, or on it.
pub(crate) struct SocketFilter {
    program: OwnedFd,
    counts: Memory,
}

impl SocketFilter {
    /// Compiles, translates and loads an expression for Ethernet; says in words why that can't be done.
    pub(crate) fn new(expression: &str) -> Result<Self, String> {
        let classic = Program::compile(LinkType::Ethernet, expression)?.classic();
        let counts = Counts::new().map_err(|why| sys::words(&why))?;
        let code = translate(&classic, counts.number()).ok_or("it can't be translated")?;
        let program = bpf::load_socket_filter(&code).map_err(|why| sys::words(&why))?;
        let counts = counts.shared().map_err(|why| sys::words(&why))?;
        Ok(Self { program, counts })
    }

    /// As [`Self::new`], on a socket: from now on that takes only what matches, or can't be judged in the kernel.
    pub(crate) fn on(expression: &str, socket: RawFd) -> Result<Self, String> {
        let filter = Self::new(expression)?;
        sys::attach_program(socket, filter.program.as_raw_fd()).map_err(|why| sys::words(&why))?;
        Ok(filter)
    }

    /// Frames left out so far.
    fn left_out(&self) -> u64 {
        // Those that passed are read first: a frame that comes in between is no negative number.
        let passed = self.count(PASSED);
        self.count(SEEN).saturating_sub(passed)
    }

    fn count(&self, at: i16) -> u64 {
        let place = self.counts.at::<AtomicU64>(at as usize, 8);
        // SAFETY: aligned and within the mapping that `self` owns; both sides use it as one atomic number.
        place.map_or(0, |place| unsafe { &*place }.load(Ordering::Relaxed))
    }
}

/// Offsets of the counts.
const SEEN: i16 = 0;
const PASSED: i16 = 8;
const TAGGED: i16 = 16;

// Registers: the frame's context, the classic machine's A and X.
const CONTEXT: u8 = 6;
const A: u8 = 7;
const X: u8 = 8;
/// Where the classic machine's memory ends: below the frame pointer.
const FRAME_POINTER: u8 = 10;

// Offsets in `struct __sk_buff`.
const LEN: i16 = 0;
const KIND: i16 = 4;
const VLAN_PRESENT: i16 = 20;
const VLAN_TCI: i16 = 24;
const VLAN_PROTO: i16 = 28;

// eBPF operations.
const MOV64: u8 = 0xbf;
const MOV32: u8 = 0xbc;
const MOV32_IMM: u8 = 0xb4;
const ADD32_IMM: u8 = 0x04;
const AND32_IMM: u8 = 0x54;
const OR32: u8 = 0x4c;
const LSH32_IMM: u8 = 0x64;
const RSH32_IMM: u8 = 0x74;
const BIG_ENDIAN: u8 = 0xdc;
const LOAD32: u8 = 0x61;
const STORE32: u8 = 0x63;
const ADD_ATOMIC: u8 = 0xdb;
const LOAD_IMM64: u8 = 0x18;
const MAP_VALUE: u8 = 2;
const JUMP: u8 = 0x05;
const JUMP_EQUAL_IMM: u8 = 0x16;
const JUMP_GREATER_IMM: u8 = 0x26;
const JUMP_GREATER_EQUAL_IMM: u8 = 0x36;
const EXIT: u8 = 0x95;

// Sizes of loads, the same in both machines.
const WORD: u16 = 0x00;
const HALF: u16 = 0x08;
const BYTE: u16 = 0x10;
/// Bytes before the tag, and before what follows it.
const TAG: u32 = 12;
const BEHIND: u32 = 16;

/// Where a jump leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// An instruction of the classic program, for frames with a tag beside them or without.
    Classic { tagged: bool, at: usize },
    /// The frame matches, or can't be judged here.
    Pass,
    /// It does not match.
    Reject,
}

struct Translation {
    code: Vec<u64>,
    /// Places whose offset is still to be filled in.
    jumps: Vec<(usize, To)>,
    /// Where instructions of the classic program begin.
    begins: Vec<(To, usize)>,
    counts: RawFd,
}

/// The same program for a socket, or nothing where it does something that libpcap's own programs do not.
fn translate(classic: &[Classic], counts: RawFd) -> Option<Vec<u64>> {
    let mut to = Translation { code: Vec::new(), jumps: Vec::new(), begins: Vec::new(), counts };
    to.push(ins(MOV64, CONTEXT, 1, 0, 0));
    to.push(ins(MOV32_IMM, A, 0, 0, 0));
    to.push(ins(MOV32_IMM, X, 0, 0, 0));
    // What this machine sends itself is none of the tap's.
    to.push(ins(LOAD32, 2, CONTEXT, KIND, 0));
    to.jump(ins(JUMP_EQUAL_IMM, 2, 0, 0, libc::PACKET_OUTGOING.into()), To::Reject);
    to.count(SEEN);
    to.push(ins(LOAD32, 2, CONTEXT, VLAN_PRESENT, 0));
    to.jump(ins(JUMP_EQUAL_IMM, 2, 0, 0, 0), To::Classic { tagged: false, at: 0 });
    to.count(TAGGED);
    for tagged in [true, false] {
        for (at, one) in classic.iter().enumerate() {
            to.begin(To::Classic { tagged, at });
            to.instruction(one, tagged, at)?;
        }
    }
    to.ends();
    to.resolve()
}

impl Translation {
    fn push(&mut self, instruction: u64) {
        self.code.push(instruction);
    }

    fn jump(&mut self, instruction: u64, to: To) {
        self.jumps.push((self.code.len(), to));
        self.push(instruction);
    }

    fn begin(&mut self, place: To) {
        self.begins.push((place, self.code.len()));
    }

    /// Adds one to a count.
    fn count(&mut self, at: i16) {
        self.push(ins(LOAD_IMM64, 1, MAP_VALUE, 0, self.counts));
        self.push(0);
        self.push(ins(MOV32_IMM, 2, 0, 0, 1));
        self.push(ins(ADD_ATOMIC, 1, 2, at, 0));
    }

    /// What both outcomes come to.
    fn ends(&mut self) {
        self.begin(To::Pass);
        self.count(PASSED);
        self.push(ins(MOV32_IMM, 0, 0, 0, i32::MAX));
        self.push(ins(EXIT, 0, 0, 0, 0));
        self.begin(To::Reject);
        self.push(ins(MOV32_IMM, 0, 0, 0, 0));
        self.push(ins(EXIT, 0, 0, 0, 0));
    }

    /// Fills in the offsets of jumps: from the instruction behind them.
    fn resolve(mut self) -> Option<Vec<u64>> {
        for (from, to) in &self.jumps {
            let target = self.begins.iter().find(|(place, _)| place == to)?.1;
            let offset = i16::try_from(target as i64 - *from as i64 - 1).ok()?;
            *self.code.get_mut(*from)? |= u64::from(offset as u16) << 16;
        }
        Some(self.code)
    }

    /// One instruction of the classic machine (<https://www.kernel.org/doc/Documentation/networking/filter.txt>).
    fn instruction(&mut self, one: &Classic, tagged: bool, at: usize) -> Option<()> {
        let (mode, size, k) = (one.code & 0xe0, one.code & 0x18, one.k as i32);
        match one.code & 7 {
            // ld, ldx: a constant, the frame's length, memory, bytes of the frame.
            class @ (0 | 1) => {
                let register = if class == 0 { A } else { X };
                match mode {
                    0x00 => self.push(ins(MOV32_IMM, register, 0, 0, k)),
                    0x80 => self.length(register, tagged),
                    0x60 => self.push(ins(LOAD32, register, FRAME_POINTER, memory(one.k)?, 0)),
                    0x20 if class == 0 => self.absolute(one.k, size, tagged)?,
                    0x40 if class == 0 => self.indirect(one.k, size, tagged)?,
                    0xa0 if class == 1 => self.header_length(one.k, tagged)?,
                    _ => return None,
                }
            }
            2 => self.push(ins(STORE32, FRAME_POINTER, A, memory(one.k)?, 0)),
            3 => self.push(ins(STORE32, FRAME_POINTER, X, memory(one.k)?, 0)),
            4 => self.arithmetic(one)?,
            5 => self.branch(one, tagged, at)?,
            6 if one.code == 0x06 => self.jump(ins(JUMP, 0, 0, 0, 0), if one.k == 0 { To::Reject } else { To::Pass }),
            7 if one.code == 0x07 => self.push(ins(MOV32, X, A, 0, 0)),
            7 if one.code == 0x87 => self.push(ins(MOV32, A, X, 0, 0)),
            _ => return None,
        }
        Some(())
    }

    fn length(&mut self, register: u8, tagged: bool) {
        self.push(ins(LOAD32, register, CONTEXT, LEN, 0));
        if tagged {
            self.push(ins(ADD32_IMM, register, 0, 0, 4));
        }
    }

    /// Bytes of the frame into register 0. A load beyond the frame's end rejects it, in both machines.
    fn load(&mut self, k: u32, size: u16, tagged: bool) -> Option<()> {
        let end = k.checked_add(bytes_of(size)?)?;
        let shift = if tagged && k >= BEHIND { 4 } else { 0 };
        if !tagged || end <= TAG || k >= BEHIND {
            self.push(ins(0x20 | size as u8, 0, 0, 0, i32::try_from(k - shift).ok()?));
        } else if k < TAG || end > BEHIND {
            // Always taken. A plain jump would leave what follows out of reach, which no kernel loads.
            self.push(ins(MOV32_IMM, 0, 0, 0, 0));
            self.jump(ins(JUMP_EQUAL_IMM, 0, 0, 0, 0), To::Pass);
        } else {
            self.tag();
            // The bytes asked for are the lowest ones after the shift.
            self.push(ins(RSH32_IMM, 0, 0, 0, ((BEHIND - end) * 8) as i32));
            if size != WORD {
                self.push(ins(AND32_IMM, 0, 0, 0, if size == HALF { 0xffff } else { 0xff }));
            }
        }
        Some(())
    }

    /// The four bytes of the tag into register 0.
    fn tag(&mut self) {
        self.push(ins(LOAD32, 0, CONTEXT, VLAN_PROTO, 0));
        self.push(ins(BIG_ENDIAN, 0, 0, 0, 16));
        self.push(ins(LSH32_IMM, 0, 0, 0, 16));
        self.push(ins(LOAD32, 1, CONTEXT, VLAN_TCI, 0));
        self.push(ins(AND32_IMM, 1, 0, 0, 0xffff));
        self.push(ins(OR32, 0, 1, 0, 0));
    }

    fn absolute(&mut self, k: u32, size: u16, tagged: bool) -> Option<()> {
        self.load(k, size, tagged)?;
        self.push(ins(MOV32, A, 0, 0, 0));
        Some(())
    }

    /// Four times the lower half of a byte, the length of an IP header, into X.
    fn header_length(&mut self, k: u32, tagged: bool) -> Option<()> {
        self.load(k, BYTE, tagged)?;
        self.push(ins(AND32_IMM, 0, 0, 0, 0xf));
        self.push(ins(LSH32_IMM, 0, 0, 0, 2));
        self.push(ins(MOV32, X, 0, 0, 0));
        Some(())
    }

    /// A load at X + k: with a tag beside the frame it depends on X which side of it that is.
    fn indirect(&mut self, k: u32, size: u16, tagged: bool) -> Option<()> {
        let (load, k) = (0x40 | size as u8, k as i32);
        if tagged {
            self.push(ins(MOV32, 1, X, 0, 0));
            self.push(ins(ADD32_IMM, 1, 0, 0, k));
            // Behind the tag: over the three instructions below.
            self.push(ins(JUMP_GREATER_EQUAL_IMM, 1, 0, 3, BEHIND as i32));
            self.jump(ins(JUMP_GREATER_IMM, 1, 0, 0, (TAG - bytes_of(size)?) as i32), To::Pass);
            self.push(ins(load, 0, X, 0, k));
            self.push(ins(JUMP, 0, 0, 1, 0));
            self.push(ins(load, 0, X, 0, k.checked_sub(4)?));
        } else {
            self.push(ins(load, 0, X, 0, k));
        }
        self.push(ins(MOV32, A, 0, 0, 0));
        Some(())
    }

    /// Operations of the two machines have the same numbers.
    fn arithmetic(&mut self, one: &Classic) -> Option<()> {
        let (operation, by_register) = (one.code & 0xf0, one.code & 0x08 != 0);
        match operation {
            // Division by nothing rejects the frame.
            0x30 | 0x90 if by_register => self.jump(ins(JUMP_EQUAL_IMM, X, 0, 0, 0), To::Reject),
            0x30 | 0x90 if one.k == 0 => return None,
            // Shifts by more than there are bits.
            0x60 | 0x70 if by_register || one.k > 31 => return None,
            0x00..=0xa0 => {}
            _ => return None,
        }
        let source = if by_register { X } else { 0 };
        self.push(ins(one.code as u8, A, source, 0, if by_register || operation == 0x80 { 0 } else { one.k as i32 }));
        Some(())
    }

    /// Comparisons of 32 bits, and the jump where they fail.
    fn branch(&mut self, one: &Classic, tagged: bool, at: usize) -> Option<()> {
        let to = |far: u32| To::Classic { tagged, at: at + 1 + far as usize };
        let (operation, by_register) = ((one.code & 0xf8) as u8, one.code & 0x08 != 0);
        match operation & 0xf0 {
            0x00 => self.jump(ins(JUMP, 0, 0, 0, 0), to(one.k)),
            0x10 | 0x20 | 0x30 | 0x40 => {
                let (source, k) = if by_register { (X, 0) } else { (0, one.k as i32) };
                self.jump(ins(0x06 | operation, A, source, 0, k), to(one.jt.into()));
                if one.jf > 0 {
                    self.jump(ins(JUMP, 0, 0, 0, 0), to(one.jf.into()));
                }
            }
            _ => return None,
        }
        Some(())
    }
}

fn bytes_of(size: u16) -> Option<u32> {
    [(WORD, 4), (HALF, 2), (BYTE, 1)].iter().find(|(s, _)| *s == size).map(|(_, bytes)| *bytes)
}

/// Offset of a word of the classic machine's memory, of which there are 16.
fn memory(k: u32) -> Option<i16> {
    (k < 16).then(|| -4 * (k as i16 + 1))
}
