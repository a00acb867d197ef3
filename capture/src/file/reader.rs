//! One capture file: its buffer, its format, the records found and not yet lent.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::OpenError;
use crate::file::buffer::Buffer;
use crate::file::format::{Described, Format, Found, Identified, Lost, Stop, Window};
use crate::file::identify::{self, HEAD};
use crate::file::stream;
use crate::filter::Filter;
use crate::frame::{Frame, InterfaceId, LinkType};
use crate::source::{Damage, Input};

/// Damage that is told in full, and comments that are kept; more damage is counted.
const MAX_TOLD: usize = 16;

/// One capture file.
pub(super) struct Reader {
    buffer: Buffer,
    format: Box<dyn Format>,
    filter: Option<Filter>,
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
    /// Link type of each interface of the file.
    link_types: Vec<LinkType>,
    /// Number in the source of each interface of the file.
    numbers: Vec<InterfaceId>,
}

impl Reader {
    /// Opens a file whose frames must match `filter`, read `width` bytes at a time.
    pub(super) fn open(path: &Path, filter: Option<&str>, width: usize) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        let stream = stream::open(path)?;
        let mut buffer = Buffer::new(stream.bytes, width);
        buffer.need(HEAD);
        if let (Some(error), true) = (buffer.take_error(), buffer.window().is_empty()) {
            return Err(OpenError::Io { path: shown, error });
        }
        let window = buffer.window();
        let head = window.get(..HEAD).unwrap_or(window);
        let Identified { format, header_len } = identify::identify(&shown, stream.wrapping, head)?;
        buffer.consume(header_len);
        Ok(Self {
            buffer,
            format,
            filter: filter.map(Filter::new),
            read: stream.read,
            name: source_name(path),
            input: Input { path: shown, size_bytes: stream.size, ..Input::default() },
            found: Found::default(),
            base: 0,
            lent: 0,
            ended: false,
            link_types: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Finds more records once all found are lent; stops early at losses, which are to be told first.
    pub(super) fn refill(&mut self) {
        while !self.ended && self.next().is_none() && !self.has_lost() {
            self.walk();
        }
    }

    fn walk(&mut self) {
        self.lent = 0;
        self.found.records.clear();
        self.found.consumed = 0;
        self.base = self.buffer.position();
        let known = self.found.interfaces.len();
        let window = Window { bytes: self.buffer.window(), offset: self.buffer.offset(), last: self.buffer.ended() };
        let stop = self.format.walk(window, &mut self.found);
        self.note_interfaces(known);
        self.sift();
        self.note();
        self.buffer.consume(self.found.consumed);
        self.go_on(stop);
    }

    fn note_interfaces(&mut self, known: usize) {
        for at in known..self.found.interfaces.len() {
            let Some(link_type) = self.found.interfaces.get(at).map(|i| i.link_type) else { continue };
            self.link_types.push(link_type);
            let name = link_type.name();
            if self.input.link_types.contains(&name) {
                continue;
            }
            let refused = self.filter.as_mut().and_then(|f| f.program(link_type).err().map(str::to_owned));
            if let Some(message) = refused {
                self.found.damage.push(Damage {
                    offset: self.buffer.offset(),
                    expected: "an interface whose frames the filter can judge".to_owned(),
                    found: format!("link type {name}: {message}"),
                    outcome: "its frames were left out".to_owned(),
                });
            }
            self.input.link_types.push(name);
        }
    }

    /// Takes out what the filter does not match.
    fn sift(&mut self) {
        let Self { filter: Some(filter), found, buffer, link_types, input, .. } = self else { return };
        let (window, before) = (buffer.window(), found.records.len());
        found.records.retain(|record| {
            let link_type = link_types.get(usize::from(record.interface.0)).copied();
            let bytes = window.get(record.start..record.start + record.len as usize).unwrap_or_default();
            let program = link_type.and_then(|l| filter.program(l).ok());
            program.is_some_and(|p| p.matches(bytes, record.wire_len))
        });
        input.filtered += (before - found.records.len()) as u64;
    }

    /// Moves what was found beside records into the account of the input.
    fn note(&mut self) {
        self.input.without_time += std::mem::take(&mut self.found.without_time);
        let room = MAX_TOLD.saturating_sub(self.input.comments.len());
        self.input.comments.extend(self.found.comments.drain(..).take(room));
        for damage in std::mem::take(&mut self.found.damage) {
            self.damaged(damage);
        }
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
                outcome: "what precedes it was read, reading ended".to_owned(),
            });
        }
    }

    fn damaged(&mut self, damage: Damage) {
        if self.input.damage.len() < MAX_TOLD {
            self.input.damage.push(damage);
        } else {
            self.input.damage_left_out += 1;
        }
    }

    /// Interfaces that have no number yet.
    pub(super) fn take_interfaces(&mut self) -> Vec<Described> {
        std::mem::take(&mut self.found.interfaces)
    }

    /// Index within the file of the next interface that gets a number.
    pub(super) fn next_interface(&self) -> u32 {
        self.numbers.len() as u32
    }

    /// Numbers the next interface.
    pub(super) fn number_next(&mut self, id: InterfaceId) {
        self.numbers.push(id);
    }

    /// Link types met so far.
    pub(super) fn link_types(&self) -> &[LinkType] {
        &self.link_types
    }

    /// Losses to be told before the next record, by the source's interface numbers.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        let mut lost = std::mem::take(&mut self.found.lost);
        for loss in &mut lost {
            loss.interface = self.number(loss.interface);
            self.input.dropped = self.input.dropped.saturating_add(loss.count);
        }
        lost
    }

    pub(super) fn has_lost(&self) -> bool {
        !self.found.lost.is_empty()
    }

    /// Whether there is nothing more to find; what was found may still have to be lent.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Time of the next record to lend.
    pub(super) fn next(&self) -> Option<u64> {
        self.found.records.get(self.lent).map(|r| r.at_ns)
    }

    /// Takes up to `room` records whose time is within `until`; they are lent by [`Reader::frames`].
    pub(super) fn take(&mut self, room: usize, until: impl Fn(u64) -> bool) -> Range<usize> {
        let from = self.lent;
        let coming = self.found.records.get(from..).unwrap_or_default();
        let (mut bytes, mut count) = (0, 0);
        let (mut first, mut last) = (u64::MAX, 0);
        for record in coming.iter().take(room).take_while(|r| until(r.at_ns)) {
            count += 1;
            bytes += u64::from(record.len);
            first = first.min(record.at_ns);
            last = last.max(record.at_ns);
        }
        self.lent += count;
        self.input.frames += count as u64;
        self.input.captured_bytes += bytes;
        if count > 0 {
            self.input.first_ns = Some(self.input.first_ns.map_or(first, |t| t.min(first)));
            self.input.last_ns = Some(self.input.last_ns.map_or(last, |t| t.max(last)));
        }
        from..self.lent
    }

    /// What the frames lie in.
    pub(super) fn held(&self) -> &Arc<Vec<u8>> {
        self.buffer.held()
    }

    /// The frames of records taken.
    pub(super) fn frames(&self, taken: Range<usize>) -> impl Iterator<Item = Frame<'_>> {
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

/// A capture is the same tap wherever it lies, and whether it is compressed or not.
fn source_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    [".zst", ".gz"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name).to_owned()
}
