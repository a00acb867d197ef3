//! Frames in bursts: all are looked at before the first has its turn, so that what their flows need is on its way from memory
//! while others are worked on. State changes only in a packet's turn, so the size of a burst changes nothing.

use capture::{Frame, LinkType};

use super::Worker;
use super::ahead::ask_bytes;
use super::flows::hash;
use super::peek::{Peek, peek};
use super::rdma::{PLAIN_LINES, TURN_LINES};
use super::turn::tap_and_way;
use crate::packet::Packet;
use crate::tick::{FlowKey, Tick};
use crate::wire::{Refusal, Span, TapFormat};

/// Frames looked at ahead: enough for their memory accesses to overlap, few enough to stay in the first cache.
const BURST: usize = 32;
/// The bytes of a frame are asked for so many frames before it is looked at.
const AHEAD: usize = 8;

/// Where a frame stands among those of all workers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// Frames before it.
    pub frame: u64,
    /// Frames of its tick before it that are whole.
    pub whole: u64,
    /// Within one, time does not go back, and no pause frame comes.
    pub stretch: u32,
}

/// The capture left it whole.
#[inline(always)]
pub(super) fn is_whole(frame: &Frame<'_>) -> bool {
    frame.bytes.len() as u64 >= u64::from(frame.wire_len)
}

/// A frame, read.
pub(super) struct Read<'a> {
    pub packet: Packet<'a>,
    /// The flow that it belongs to, if it has network addresses.
    pub key: Option<FlowKey>,
    /// Of the key.
    pub hash: u32,
    /// The capture cut it.
    pub cut: bool,
    unread: Option<Unread>,
}

/// Where a frame was captured is not known, or why it can't be read.
enum Unread {
    NoInterface,
    Refused(Refusal),
}

impl Read<'_> {
    const NOTHING: Self = Self { packet: Packet::UNREAD, key: None, hash: 0, cut: false, unread: None };
}

/// What was seen of a frame ahead.
#[derive(Clone, Copy)]
enum Look {
    /// Its conversation may be plain.
    Short(Peek, u32),
    /// Read, in this place; a first look may have been had.
    Long(usize, Option<Peek>),
}

/// The frames of a burst that go the long way.
#[derive(Default)]
struct Reads<'a> {
    places: Vec<Read<'a>>,
    used: usize,
}

impl<'a> Reads<'a> {
    fn next(&mut self) -> (usize, Option<&mut Read<'a>>) {
        let at = self.used;
        if at == self.places.len() {
            self.places.push(Read::NOTHING);
        }
        self.used += 1;
        (at, self.places.get_mut(at))
    }
}

impl Worker {
    /// `moments` say where each frame stands among all; none, where this worker is alone.
    pub(super) fn burst(&mut self, frames: &[Frame<'_>], moments: &[Moment], ready: &mut dyn FnMut(Tick)) {
        let mut moments = moments.iter();
        let mut reads = Reads::default();
        let mut looks = [Look::Long(0, None); BURST];
        for (at, burst) in frames.chunks(BURST).enumerate() {
            reads.used = 0;
            let behind = frames.get(at * BURST + AHEAD..).unwrap_or_default();
            self.first_look(burst, behind, &mut looks, &mut reads);
            let looks = looks.get_mut(..burst.len()).unwrap_or_default();
            self.ask(burst, looks, &mut reads);
            for (look, frame) in looks.iter().zip(burst) {
                self.pass_time(frame.at_ns, ready);
                self.count(frame);
                if let Some(moment) = moments.next() {
                    self.stands(moment, frame.at_ns);
                }
                self.take(look, frame, &mut reads);
                self.icrc.done(is_whole(frame));
            }
        }
    }

    /// Among several workers: where the frame stands whose turn it is.
    fn stands(&mut self, moment: &Moment, at_ns: u64) {
        self.icrc.stands(moment.whole);
        self.links.turn(moment.frame, moment.stretch, at_ns);
        self.dpi.memory.turn(moment.frame);
        if let Some(births) = &mut self.flows.births {
            births.frame = moment.frame;
        }
    }

    /// A frame's turn.
    #[inline(always)]
    fn take<'a>(&mut self, look: &Look, frame: &Frame<'a>, reads: &mut Reads<'a>) {
        match look {
            Look::Short(peek, id) => {
                let interface = frame.interface.0;
                let (tap, envelope) = match &peek.envelope {
                    None => (self.taps.plain(interface), None),
                    Some(envelope) => (self.taps.enveloped(interface, envelope.mirror), Some(envelope)),
                };
                if self.swift(peek, *id, frame, tap_and_way(tap, envelope.map(|e| e.egress))) {
                    let truncated = peek.cut || envelope.is_some_and(|e| e.truncated);
                    self.taps.came(tap, envelope.map(|e| e.sequence), truncated, frame.at_ns);
                } else {
                    let (at, _) = self.read_next(frame, reads);
                    self.long(at, frame, Some(peek), reads);
                }
            }
            Look::Long(at, peek) => self.long(*at, frame, peek.as_ref(), reads),
        }
    }

    #[inline(never)]
    fn long(&mut self, at: usize, frame: &Frame<'_>, peek: Option<&Peek>, reads: &Reads<'_>) {
        let Some(read) = reads.places.get(at) else { return };
        match &read.unread {
            None => self.packet(read, frame, peek),
            Some(unread) => self.leave(unread),
        }
    }

    /// The first look, and the slots where their flows stand are asked for.
    #[inline(always)]
    fn first_look<'a>(
        &self,
        burst: &[Frame<'a>],
        behind: &[Frame<'_>],
        looks: &mut [Look; BURST],
        reads: &mut Reads<'a>,
    ) {
        let mut behind = behind.iter();
        for (look, frame) in looks.iter_mut().zip(burst) {
            if let Some(next) = behind.next() {
                ask_bytes(next.bytes);
            }
            *look = match self.peek(frame) {
                Some(peek) => {
                    self.flows.talks.ask_slot(peek.hash);
                    Look::Short(peek, 0)
                }
                None => Look::Long(self.read_next(frame, reads).0, None),
            };
        }
    }

    #[inline(always)]
    fn peek(&self, frame: &Frame<'_>) -> Option<Peek> {
        let port = self.ports.get(usize::from(frame.interface.0))?;
        if port.link_type != LinkType::Ethernet || port.nature.rspan || port.fcs_len != 0 {
            return None;
        }
        peek(&self.config.rdma_ports, frame.bytes, frame.wire_len)
    }

    #[inline(never)]
    fn read_next<'a>(&self, frame: &Frame<'a>, reads: &mut Reads<'a>) -> (usize, u32) {
        let (at, read) = reads.next();
        let Some(read) = read else { return (at, 0) };
        read.unread = self.read(frame, read).err();
        (at, read.hash)
    }

    fn read<'a>(&self, frame: &Frame<'a>, read: &mut Read<'a>) -> Result<(), Unread> {
        read.key = None;
        let port = self.ports.get(usize::from(frame.interface.0)).ok_or(Unread::NoInterface)?;
        let (bytes, wire_len) = port.without_fcs(frame);
        let span = Span::new(bytes, wire_len);
        let format = TapFormat { rspan: port.nature.rspan };
        read.cut = !is_whole(frame);
        let key = self.decoder.decode_to(port.link_type, format, span, &mut read.packet).map_err(Unread::Refused)?;
        if let Some(key) = key {
            read.hash = hash(&key);
            self.flows.ask_slot(read.hash);
            read.key = Some(key);
        }
        Ok(())
    }

    /// Asks memory for what the turns will need. Each step needs the one before; within a step all are under way together.
    #[inline(always)]
    fn ask<'a>(&self, burst: &[Frame<'a>], looks: &mut [Look], reads: &mut Reads<'a>) {
        for (look, frame) in looks.iter_mut().zip(burst) {
            let Look::Short(peek, id) = look else { continue };
            match self.flows.talks.find(peek.hash) {
                Some(found) => {
                    *id = found;
                    self.flows.talks.ask(found, if peek.is_turn() { TURN_LINES } else { PLAIN_LINES });
                }
                None => *look = Look::Long(self.read_next(frame, reads).0, Some(*peek)),
            }
        }
        let reads = reads.places.get(..reads.used).unwrap_or_default();
        let mut places = [None; BURST];
        for (place, read) in places.iter_mut().zip(reads).filter(|(_, read)| read.key.is_some()) {
            *place = self.flows.ask_flow(read.hash);
            if let (None, Some(key)) = (&place, &read.key) {
                self.flows.ask_reverse(key);
            }
        }
        for look in looks.iter() {
            if let Look::Short(peek, id) = look {
                self.ask_touched(peek, *id);
            }
        }
        let asked = || places.iter().zip(reads).filter_map(|(place, read)| place.map(|place| (place, read)));
        asked().for_each(|(place, read)| self.flows.ask_conversation(place, &read.packet));
    }

    /// What a plain packet touches beside its conversation.
    #[inline(always)]
    fn ask_touched(&self, peek: &Peek, id: u32) {
        let Some(rdma) = self.flows.talks.peek(id) else { return };
        rdma.ask_place(peek);
        for link in rdma.hot.links {
            self.links.ask_line(link.into());
        }
        if let (true, Some(peer)) = (peek.opcode == super::rdma::ACK, rdma.peer_id) {
            self.flows.talks.ask(peer, TURN_LINES);
        }
    }

    fn count(&mut self, frame: &Frame<'_>) {
        self.capture.frames += 1;
        self.capture.wire_bytes += u64::from(frame.wire_len);
        self.capture.captured_bytes += frame.bytes.len() as u64;
    }

    fn leave(&mut self, unread: &Unread) {
        match unread {
            Unread::NoInterface => self.interfaces_unknown += 1,
            Unread::Refused(refusal) => {
                if let Some(n) = self.refused.get_mut(refusal.index()) {
                    *n += 1;
                }
            }
        }
    }
}
