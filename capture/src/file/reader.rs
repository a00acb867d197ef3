//! One capture file: its buffer, its format, the records found and not yet lent.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::OpenError;
use crate::file::buffer::Buffer;
use crate::file::format::{Described, Format, Found, Lost, Record, Stop, Window};
use crate::file::identify::{self, HEAD, Identified};
use crate::file::stream;
use crate::frame::{Frame, InterfaceId};
use crate::source::{Damage, Input};

/// Damage that is told in full; more is counted.
const MAX_DAMAGE: usize = 16;

/// One capture file.
pub(super) struct Reader {
    buffer: Buffer,
    format: Box<dyn Format>,
    read: Arc<AtomicU64>,
    /// Its name without folders and without the compression's suffix.
    pub(super) name: String,
    input: Input,
    found: Found,
    /// Where in the buffer the walked window began.
    base: usize,
    /// Records lent so far of those found.
    lent: usize,
    ended: bool,
    /// Number in the source of each interface of the file.
    numbers: Vec<InterfaceId>,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        let stream = stream::open(path)?;
        let mut buffer = Buffer::new(stream.bytes);
        buffer.need(HEAD);
        if let Some(error) = buffer.take_error() {
            return Err(OpenError::Io { path: shown, error });
        }
        let head = buffer.window();
        let Identified { format, header_len } = identify::identify(&shown, head.get(..HEAD).unwrap_or(head))?;
        buffer.consume(header_len);
        let input = Input { path: shown, size_bytes: stream.size, ..Input::default() };
        Ok(Self {
            buffer,
            format,
            read: stream.read,
            name: source_name(path),
            input,
            found: Found::default(),
            base: 0,
            lent: 0,
            ended: false,
            numbers: Vec::new(),
        })
    }

    /// Finds more records once all found are lent. New interfaces get their number from `number`.
    pub(super) fn refill(&mut self, number: &mut dyn FnMut(&Described, u32, &str) -> InterfaceId) {
        while !self.ended && self.next().is_none() {
            self.walk();
            for interface in self.found.interfaces.drain(..) {
                let id = number(&interface, self.numbers.len() as u32, &self.name);
                self.numbers.push(id);
                note_link_type(&mut self.input, &interface);
            }
            if !self.found.lost.is_empty() {
                return;
            }
        }
    }

    fn walk(&mut self) {
        self.lent = 0;
        self.found.records.clear();
        self.found.consumed = 0;
        self.base = self.buffer.position();
        let window = Window { bytes: self.buffer.window(), offset: self.buffer.offset(), last: self.buffer.ended() };
        let stop = self.format.walk(window, &mut self.found);
        self.buffer.consume(self.found.consumed);
        for damage in std::mem::take(&mut self.found.damage) {
            self.damaged(damage);
        }
        self.go_on(stop);
    }

    /// Does what the walk asked for, unless there are records to lend first: those lie in the buffer as it is.
    fn go_on(&mut self, stop: Stop) {
        match stop {
            Stop::Lend => {}
            Stop::End => self.end(),
            Stop::Need(_) | Stop::Skip(_) if !self.found.records.is_empty() => {}
            Stop::Need(count) => {
                self.buffer.need(count);
            }
            Stop::Skip(count) => self.buffer.skip(count),
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if let Some(error) = self.buffer.take_error() {
            self.damaged(Damage {
                offset: self.buffer.offset() + self.buffer.window().len() as u64,
                expected: "more of the file".to_owned(),
                found: error.to_string(),
                outcome: "reading ended".to_owned(),
            });
        }
    }

    fn damaged(&mut self, damage: Damage) {
        if self.input.damage.len() < MAX_DAMAGE {
            self.input.damage.push(damage);
        } else {
            self.input.damage_left_out += 1;
        }
    }

    /// Losses to be told before the next record, by the source's interface numbers.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        let mut lost = std::mem::take(&mut self.found.lost);
        for loss in &mut lost {
            loss.interface = self.number(loss.interface);
            self.input.dropped += loss.count;
        }
        lost
    }

    /// Whether there is nothing more to find; what was found may still have to be lent.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The next record to lend.
    pub(super) fn next(&self) -> Option<&Record> {
        self.found.records.get(self.lent)
    }

    /// Takes up to `room` records whose time is within `until`; they are lent by [`Reader::frames`].
    pub(super) fn take(&mut self, room: usize, until: impl Fn(u64) -> bool) -> std::ops::Range<usize> {
        let from = self.lent;
        let coming = self.found.records.get(from..).unwrap_or_default();
        for record in coming.iter().take(room).take_while(|r| until(r.at_ns)) {
            self.lent += 1;
            self.input.captured_bytes += u64::from(record.len);
            self.input.first_ns = Some(self.input.first_ns.map_or(record.at_ns, |t| t.min(record.at_ns)));
            self.input.last_ns = Some(self.input.last_ns.map_or(record.at_ns, |t| t.max(record.at_ns)));
        }
        self.input.frames += (self.lent - from) as u64;
        from..self.lent
    }

    /// The frames of records taken.
    pub(super) fn frames(&self, taken: std::ops::Range<usize>) -> impl Iterator<Item = Frame<'_>> {
        let held = self.buffer.held().get(self.base..).unwrap_or_default();
        let records = self.found.records.get(taken).unwrap_or_default();
        records.iter().map(move |r| Frame {
            bytes: held.get(r.start..r.start + r.len as usize).unwrap_or_default(),
            at_ns: r.at_ns,
            wire_len: r.wire_len,
            interface: self.number(r.interface),
            direction: r.direction,
        })
    }

    fn number(&self, local: InterfaceId) -> InterfaceId {
        self.numbers.get(usize::from(local.0)).copied().unwrap_or_default()
    }

    /// How far it is read.
    pub(super) fn input(&self) -> Input {
        Input { read_bytes: self.read.load(Ordering::Relaxed), ..self.input.clone() }
    }
}

fn note_link_type(input: &mut Input, interface: &Described) {
    let name = interface.link_type.name();
    if !input.link_types.contains(&name) {
        input.link_types.push(name);
    }
}

/// A capture is the same tap wherever it lies, and whether it is compressed or not.
fn source_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    [".zst", ".gz"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name).to_owned()
}
