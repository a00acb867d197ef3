//! The interfaces that a file describes, section by section.

use crate::file::format::{Described, Found, Order, SECOND_NS, Window};
use crate::file::pcapng::options::{self, Choice};
use crate::frame::{InterfaceId, LATEST_NS, LinkType};
use crate::source::Damage;

/// Most interfaces of one file, over all its sections; more are left out, their frames counted as damage.
const MAX_INTERFACES: usize = 4096;

const IF_NAME: u16 = 2;
const IF_SPEED: u16 = 8;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;
const IF_TXSPEED: u16 = 16;
const IF_RXSPEED: u16 = 17;

/// How the ticks of an interface become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    /// Nanoseconds per tick.
    Long(u64),
    /// Ticks per nanosecond.
    Short(u64),
    /// The tick is 2 to the minus this many seconds.
    Binary(u32),
}

/// What blocks need to know of an interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    /// Index within the file, over all sections.
    pub(super) id: InterfaceId,
    pub(super) snaplen: u32,
    tick: Tick,
    offset_s: i64,
    /// Losses told so far: counts of single frames are part of the interface's total.
    pub(super) lost: u64,
}

impl Port {
    /// Nanoseconds since the epoch of a time in this interface's ticks, at most [`LATEST_NS`].
    pub(super) fn ns(&self, high: u32, low: u32) -> u64 {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let ns = match self.tick {
            Tick::Long(ns) => ticks.saturating_mul(ns),
            Tick::Short(per_ns) => ticks / per_ns,
            Tick::Binary(bits) => binary_ns(ticks, bits),
        };
        let shift = self.offset_s.unsigned_abs().saturating_mul(SECOND_NS);
        let shifted = if self.offset_s < 0 { ns.saturating_sub(shift) } else { ns.saturating_add(shift) };
        shifted.min(LATEST_NS)
    }
}

fn binary_ns(ticks: u64, bits: u32) -> u64 {
    let scaled = (u128::from(ticks) * u128::from(SECOND_NS)).checked_shr(bits).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Interfaces of the section at hand, and how many there were in the file.
#[derive(Default)]
pub(super) struct Interfaces {
    section: Vec<Port>,
    in_file: usize,
}

impl Interfaces {
    pub(super) fn new_section(&mut self) {
        self.section.clear();
    }

    pub(super) fn get(&mut self, index: u32) -> Option<&mut Port> {
        self.section.get_mut(index as usize)
    }

    /// Takes an interface description block.
    pub(super) fn describe(&mut self, order: Order, window: Window<'_>, found: &mut Found, body: &[u8]) {
        if body.len() < 8 || self.in_file >= MAX_INTERFACES {
            found.damage.push(Damage {
                offset: window.offset_at(found.consumed),
                expected: format!("a whole interface description, one of at most {MAX_INTERFACES}"),
                found: format!("number {} with {} bytes", self.in_file + 1, body.len()),
                outcome: "the interface was left out".to_owned(),
            });
            return;
        }
        let (described, tick, offset_s) = read(order, found, body);
        let id = InterfaceId(self.in_file as u16);
        self.section.push(Port { id, snaplen: described.snaplen, tick, offset_s, lost: 0 });
        self.in_file += 1;
        found.interfaces.push(described);
    }

    /// Damage: a block names an interface that was not described.
    pub(super) fn unknown(&self, window: Window<'_>, found: &mut Found, index: u32) {
        found.damage.push(Damage {
            offset: window.offset_at(found.consumed),
            expected: format!("one of the section's {} interfaces", self.section.len()),
            found: format!("a frame of interface {index}"),
            outcome: "the frame was passed over".to_owned(),
        });
    }
}

fn read(order: Order, found: &mut Found, body: &[u8]) -> (Described, Tick, i64) {
    let mut described = Described {
        name: None,
        link_type: LinkType::from_number(order.half(body, 0)),
        speed_bps: None,
        snaplen: order.word(body, 4),
        fcs_len: 0,
    };
    let (mut tick, mut offset_s) = (Tick::Long(1_000), 0);
    for option in options::walk(order, body.get(8..).unwrap_or_default()) {
        options::note_comment(option, found);
        match (option.code, option.value) {
            (IF_NAME, name) => described.name = Some(options::text(name)).filter(|n| !n.is_empty()),
            (IF_TSRESOL, [resolution, ..]) => tick = tick_of(*resolution),
            (IF_FCSLEN, [length, ..]) => described.fcs_len = fcs_bytes(*length),
            (IF_TSOFFSET, seconds) if seconds.len() >= 8 => offset_s = order.double(seconds, 0) as i64,
            _ => note_speed(&mut described, order, option),
        }
    }
    (described, tick, offset_s)
}

fn note_speed(described: &mut Described, order: Order, option: Choice<'_>) {
    if option.value.len() < 8 || order.double(option.value, 0) == 0 {
        return;
    }
    let speed = Some(order.double(option.value, 0));
    match option.code {
        IF_SPEED => described.speed_bps = speed,
        IF_TXSPEED | IF_RXSPEED => described.speed_bps = described.speed_bps.or(speed),
        _ => {}
    }
}

/// The draft counts bits; the files of Wireshark count bytes. No check sequence has 8 bytes or more, nor less than 8 bits.
fn fcs_bytes(length: u8) -> u8 {
    if length >= 8 { length / 8 } else { length }
}

fn tick_of(resolution: u8) -> Tick {
    let exponent = u32::from(resolution & 0x7f);
    if resolution & 0x80 != 0 {
        return Tick::Binary(exponent);
    }
    match exponent {
        0..=9 => Tick::Long(10_u64.pow(9 - exponent)),
        _ => Tick::Short(10_u64.saturating_pow(exponent - 9)),
    }
}
