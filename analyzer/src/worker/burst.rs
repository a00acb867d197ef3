//! Frames in bursts: all are read before the first has its turn, so that what their flows need is on its way from memory
//! while others are worked on. State changes only in a packet's turn, so the size of a burst changes nothing.

use capture::Frame;

use super::Worker;
use super::flows::hash;
use crate::packet::Packet;
use crate::tick::{FlowKey, Tick};
use crate::wire::{Refusal, Span, TapFormat};

/// Frames read ahead: enough for their memory accesses to overlap, few enough to stay in the first cache.
const BURST: usize = 32;

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

impl Worker {
    pub(super) fn burst(&mut self, frames: &[Frame<'_>], ready: &mut dyn FnMut(Tick)) {
        let mut reads = [const { Read::NOTHING }; BURST];
        for frames in frames.chunks(BURST) {
            for (read, frame) in reads.iter_mut().zip(frames) {
                read.unread = self.read(frame, read).err();
            }
            self.ask(reads.get(..frames.len()).unwrap_or(&reads));
            for (read, frame) in reads.iter().zip(frames) {
                self.pass_time(frame.at_ns, ready);
                self.count(frame);
                match &read.unread {
                    None => self.packet(read, frame),
                    Some(unread) => self.leave(unread),
                }
            }
        }
    }

    #[inline(always)]
    fn read<'a>(&self, frame: &Frame<'a>, read: &mut Read<'a>) -> Result<(), Unread> {
        read.key = None;
        let port = self.ports.get(usize::from(frame.interface.0)).ok_or(Unread::NoInterface)?;
        let fcs = usize::from(port.fcs_len);
        let whole = frame.bytes.len() as u64 >= u64::from(frame.wire_len);
        let end = if whole { frame.bytes.len().saturating_sub(fcs) } else { frame.bytes.len() };
        let bytes = frame.bytes.get(..end).unwrap_or(frame.bytes);
        let span = Span::new(bytes, frame.wire_len.saturating_sub(fcs as u32));
        let format = TapFormat { rspan: port.nature.rspan };
        read.cut = !whole;
        let key = self.decoder.decode_to(port.link_type, format, span, &mut read.packet).map_err(Unread::Refused)?;
        if let Some(key) = key {
            read.hash = hash(&key);
            self.flows.ask_slot(read.hash);
            read.key = Some(key);
        }
        Ok(())
    }

    /// Asks memory for what the turns will need: the flows, where the index has them, then their conversations, then the places of
    /// these packets in them. Each step needs the one before; within a step all are under way together.
    #[inline(always)]
    fn ask(&self, reads: &[Read<'_>]) {
        let mut places = [None; BURST];
        for (place, read) in places.iter_mut().zip(reads).filter(|(_, read)| read.key.is_some()) {
            *place = self.flows.ask_flow(read.hash);
        }
        let asked = || places.iter().zip(reads).filter_map(|(place, read)| place.map(|place| (place, read)));
        asked().for_each(|(place, read)| self.flows.ask_conversation(place, &read.packet));
        asked().for_each(|(place, read)| self.flows.ask_recent(place, &read.packet));
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
