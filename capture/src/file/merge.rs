//! Several files as one source, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::file::format::{BATCH, Described};
use crate::file::reader::Reader;
use crate::frame::{Frame, Interface, InterfaceId, LinkType};
use crate::source::{Damage, Input, Sink, Source, Step};

/// Bytes asked of a file at once: large enough that the call costs little, small enough to stay in a core's cache.
const WIDTH: usize = 256 * 1024;
/// The same where there are many files.
const NARROW: usize = 64 * 1024;
/// With more files than this, each is opened only when its first frame's time has come.
const MANY: usize = 32;

/// One file of several.
enum Slot {
    /// Its header and first frame are sound, its time has not come.
    Parked(PathBuf, Input),
    Open(Box<Reader>),
    /// Read to its end, or impossible to open once more.
    Done(Input),
}

impl Slot {
    fn open(&mut self) -> Option<&mut Reader> {
        if let Self::Open(reader) = self { Some(reader) } else { None }
    }

    fn input(&self) -> Input {
        match self {
            Self::Open(reader) => reader.input(),
            Self::Parked(_, input) | Self::Done(input) => input.clone(),
        }
    }
}

/// Several files. Frames of the same time come in the order in which the files were given; a file whose own time runs
/// backwards is lent in its order.
pub(super) struct Files {
    slots: Vec<Slot>,
    filter: Option<String>,
    width: usize,
    /// Time of the next frame of each file that has one.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Files that must be read on before the next batch.
    hungry: Vec<usize>,
    /// Interfaces to be said before the next batch.
    announced: Vec<Interface>,
    /// Interfaces numbered so far. Those beyond the 65,535th share its number: a bound, not a case that is met.
    interfaces: u16,
}

impl Files {
    /// Opens all files; says which link types they begin with.
    pub(super) fn open(paths: &[PathBuf], filter: Option<&str>) -> Result<(Self, Vec<LinkType>), OpenError> {
        let many = paths.len() > MANY;
        let mut files = Self {
            slots: Vec::with_capacity(paths.len()),
            filter: filter.map(str::to_owned),
            width: if many { NARROW } else { WIDTH },
            heads: BinaryHeap::new(),
            hungry: Vec::new(),
            announced: Vec::new(),
            interfaces: 0,
        };
        let mut link_types = Vec::new();
        for path in paths {
            let mut reader = Reader::open(path, filter, files.width)?;
            reader.refill();
            link_types.extend_from_slice(reader.link_types());
            files.add(path, reader, many);
        }
        Ok((files, link_types))
    }

    fn add(&mut self, path: &Path, reader: Reader, many: bool) {
        let index = self.slots.len();
        let parked = reader.next().filter(|_| many && path.is_file());
        let Some(at_ns) = parked else {
            self.slots.push(Slot::Open(Box::new(reader)));
            self.hungry.push(index);
            return;
        };
        let Input { path: shown, size_bytes, .. } = reader.input();
        let input = Input { path: shown, size_bytes, ..Input::default() };
        self.slots.push(Slot::Parked(path.to_owned(), input));
        self.heads.push(Reverse((at_ns, index)));
    }

    /// Opens the files whose time has come.
    fn unpark(&mut self) {
        while let Some(Reverse((_, index))) = self.heads.peek().copied() {
            let Some(slot @ Slot::Parked(..)) = self.slots.get_mut(index) else { return };
            let Slot::Parked(path, input) = slot else { return };
            *slot = match Reader::open(path, self.filter.as_deref(), self.width) {
                Ok(reader) => Slot::Open(Box::new(reader)),
                Err(error) => Slot::Done(vanished(input, &error)),
            };
            self.heads.pop();
            self.feed(index, None);
        }
    }

    fn refill(&mut self, sink: &mut dyn Sink) {
        for index in std::mem::take(&mut self.hungry) {
            self.feed(index, Some(sink));
        }
        self.unpark();
        for interface in self.announced.drain(..) {
            sink.interface(&interface);
        }
    }

    /// Reads a file on, and puts the time of its next frame among the heads. Losses behind its last frame go to `sink`.
    fn feed(&mut self, index: usize, sink: Option<&mut dyn Sink>) {
        let Some(reader) = self.slots.get_mut(index).and_then(Slot::open) else { return };
        reader.refill();
        for described in reader.take_interfaces() {
            let id = InterfaceId(self.interfaces);
            reader.number_next(id);
            self.announced.push(interface(id, described, reader.next_interface() - 1, &reader.name));
            self.interfaces = self.interfaces.saturating_add(1);
        }
        match reader.next() {
            Some(at_ns) => self.heads.push(Reverse((at_ns, index))),
            None => self.at_pause(index, sink),
        }
    }

    /// A file without a next frame: it ended, or losses must be told first.
    fn at_pause(&mut self, index: usize, sink: Option<&mut dyn Sink>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reader) = slot.open() else { return };
        if let (true, Some(sink)) = (reader.has_lost(), sink) {
            for interface in self.announced.drain(..) {
                sink.interface(&interface);
            }
            tell_lost(reader, sink);
        }
        if reader.ended() && !reader.has_lost() {
            *slot = Slot::Done(slot.input());
        } else {
            self.hungry.push(index);
        }
    }

    /// Tells the losses that come before the next frame.
    fn tell_next_lost(&mut self, sink: &mut dyn Sink) {
        let next = self.heads.peek().map(|Reverse((_, index))| *index);
        if let Some(reader) = next.and_then(|i| self.slots.get_mut(i)).and_then(Slot::open) {
            tell_lost(reader, sink);
        }
    }

    /// Takes the earliest records, up to a batch, or until a file must be read on or has something to say first.
    fn take(&mut self) -> Vec<(usize, Range<usize>)> {
        let mut runs = Vec::new();
        let mut room = BATCH;
        while room > 0 && self.hungry.is_empty() {
            let Some(Reverse((at_ns, index))) = self.heads.pop() else { break };
            let next = self.heads.peek().map(|Reverse(head)| *head);
            let ready = self.slots.get_mut(index).and_then(Slot::open).filter(|r| !r.has_lost());
            let Some(reader) = ready else {
                self.heads.push(Reverse((at_ns, index)));
                break;
            };
            let run = match next {
                None => reader.take(room, |_| true),
                Some(other) => reader.take(room, |at_ns| (at_ns, index) <= other),
            };
            room -= run.len();
            match reader.next() {
                Some(at_ns) => self.heads.push(Reverse((at_ns, index))),
                None => self.hungry.push(index),
            }
            runs.push((index, run));
        }
        runs
    }
}

impl Source for Files {
    fn step(&mut self, sink: &mut dyn Sink) -> Step {
        self.refill(sink);
        self.tell_next_lost(sink);
        let runs = self.take();
        let mut batch: Vec<Frame<'_>> = Vec::with_capacity(BATCH);
        let mut before = None;
        for (index, run) in runs {
            if let Some(Slot::Open(reader)) = self.slots.get(index) {
                if before != Some(index) {
                    sink.lie_in(reader.held());
                }
                before = Some(index);
                batch.extend(reader.frames(run));
            }
        }
        if !batch.is_empty() {
            sink.frames(&batch);
        }
        if self.heads.is_empty() && self.hungry.is_empty() { Step::End } else { Step::More }
    }

    fn inputs(&self) -> Vec<Input> {
        self.slots.iter().map(Slot::input).collect()
    }
}

fn tell_lost(reader: &mut Reader, sink: &mut dyn Sink) {
    for lost in reader.take_lost() {
        sink.dropped(lost.interface, lost.at_ns, lost.count);
    }
}

fn vanished(input: &Input, error: &OpenError) -> Input {
    let damage = Damage {
        offset: 0,
        expected: "the file that was there at the start".to_owned(),
        found: error.to_string(),
        outcome: "none of its frames were read".to_owned(),
    };
    Input { damage: vec![damage], ..input.clone() }
}

fn interface(id: InterfaceId, described: Described, index_in_file: u32, source: &str) -> Interface {
    Interface {
        id,
        source: source.to_owned(),
        name: described.name,
        index_in_file,
        link_type: described.link_type,
        speed_bps: described.speed_bps,
        snaplen: described.snaplen,
        fcs_len: described.fcs_len,
    }
}
