//! The most recent frames of each interface, in memory of a fixed size: evidence for what is found a moment later.

use crate::frame::{Direction, Frame, Interface, InterfaceId};

/// Bounds of [`Recent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentOptions {
    /// Bytes kept of each frame, from its beginning.
    pub snaplen: usize,
    /// Frames kept of each interface; the oldest make room.
    pub frames: usize,
    /// Interfaces of which frames are kept; of others, none.
    pub interfaces: usize,
}

impl Default for RecentOptions {
    /// Headers with every envelope, of 131,072 frames: 28 MiB an interface, once frames come.
    fn default() -> Self {
        Self { snaplen: 192, frames: 1 << 17, interfaces: 64 }
    }
}

/// A ring of recent frames for each interface.
#[derive(Debug)]
pub struct Recent {
    options: RecentOptions,
    rings: Vec<Ring>,
}

#[derive(Debug)]
struct Ring {
    interface: Interface,
    /// Places of `snaplen` bytes each.
    bytes: Vec<u8>,
    notes: Vec<Note>,
    next: usize,
    /// Time of the newest frame that made room; before it, the ring knows nothing.
    forgotten_ns: Option<u64>,
}

/// What is kept of a frame beside its bytes.
#[derive(Clone, Copy, Debug)]
struct Note {
    at_ns: u64,
    wire_len: u32,
    len: u32,
    direction: Direction,
}

impl Recent {
    /// Empty rings.
    pub fn new(options: RecentOptions) -> Self {
        Self { options, rings: Vec::new() }
    }

    /// A new interface, before its first frame.
    pub fn interface(&mut self, interface: &Interface) {
        if self.rings.len() < self.options.interfaces {
            let interface = interface.clone();
            self.rings.push(Ring { interface, bytes: Vec::new(), notes: Vec::new(), next: 0, forgotten_ns: None });
        }
    }

    /// Keeps frames.
    pub fn frames(&mut self, batch: &[Frame<'_>]) {
        let options = self.options;
        let mut at = 0;
        for frame in batch {
            // A batch is of one interface, nearly always.
            if self.rings.get(at).is_none_or(|r| r.interface.id != frame.interface) {
                let Some(found) = self.rings.iter().position(|r| r.interface.id == frame.interface) else { continue };
                at = found;
            }
            if let Some(ring) = self.rings.get_mut(at) {
                ring.keep(frame, &options);
            }
        }
    }

    /// The interfaces, in the order they came.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.rings.iter().map(|r| &r.interface)
    }

    /// Link type of an interface's frames.
    pub fn interface_of(&self, id: InterfaceId) -> Option<&Interface> {
        self.rings.iter().map(|r| &r.interface).find(|i| i.id == id)
    }

    /// Frames of all interfaces from `from_ns` to `to_ns`, by time; and whether some of that time is forgotten already.
    pub fn between(&self, from_ns: u64, to_ns: u64) -> (Vec<Frame<'_>>, bool) {
        let snaplen = self.options.snaplen;
        let mut frames: Vec<Frame<'_>> = self
            .rings
            .iter()
            .flat_map(|r| r.frames(snaplen))
            .filter(|f| (from_ns..=to_ns).contains(&f.at_ns))
            .collect();
        frames.sort_by_key(|f| f.at_ns);
        (frames, self.rings.iter().any(|r| r.forgotten_ns.is_some_and(|t| t >= from_ns)))
    }
}

impl Ring {
    fn keep(&mut self, frame: &Frame<'_>, options: &RecentOptions) {
        let len = frame.bytes.len().min(options.snaplen);
        let note = Note { at_ns: frame.at_ns, wire_len: frame.wire_len, len: len as u32, direction: frame.direction };
        let start = self.next * options.snaplen;
        match self.notes.get_mut(self.next) {
            Some(old) => {
                self.forgotten_ns = self.forgotten_ns.max(Some(old.at_ns));
                *old = note;
            }
            None => {
                self.notes.push(note);
                self.bytes.resize(start + options.snaplen, 0);
            }
        }
        if let (Some(place), Some(head)) = (self.bytes.get_mut(start..start + len), frame.bytes.get(..len)) {
            place.copy_from_slice(head);
        }
        self.next = (self.next + 1) % options.frames.max(1);
    }

    /// Oldest first.
    fn frames(&self, snaplen: usize) -> impl Iterator<Item = Frame<'_>> {
        let count = self.notes.len();
        let oldest = if self.forgotten_ns.is_some() { self.next } else { 0 };
        (0..count).filter_map(move |n| {
            let at = (oldest + n) % count;
            let note = self.notes.get(at)?;
            let bytes = self.bytes.get(at * snaplen..at * snaplen + note.len as usize)?;
            let Note { at_ns, wire_len, direction, .. } = *note;
            Some(Frame { bytes, at_ns, wire_len, interface: self.interface.id, direction })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;

    fn interface(id: u16) -> Interface {
        Interface {
            id: InterfaceId(id),
            source: format!("eth{id}"),
            name: None,
            index_in_file: 0,
            link_type: LinkType::Ethernet,
            speed_bps: None,
            snaplen: 0,
            fcs_len: 0,
        }
    }

    fn frame(bytes: &[u8], at_ns: u64, interface: u16) -> Frame<'_> {
        let wire_len = bytes.len() as u32;
        Frame { bytes, at_ns, wire_len, interface: InterfaceId(interface), direction: Direction::In }
    }

    #[test]
    fn the_newest_frames_are_kept_cut_and_in_order() {
        let mut recent = Recent::new(RecentOptions { snaplen: 4, frames: 3, interfaces: 2 });
        (0..3).for_each(|n| recent.interface(&interface(n)));
        recent.frames(&[frame(b"abcdef", 10, 0), frame(b"x", 15, 1), frame(b"none of these", 16, 2)]);
        let (frames, forgotten) = recent.between(0, 100);
        assert_eq!(frames.iter().map(|f| (f.bytes, f.wire_len)).collect::<Vec<_>>(), [(&b"abcd"[..], 6), (b"x", 1)]);
        assert!(!forgotten);
        for at_ns in [20, 30, 40] {
            recent.frames(&[frame(b"later", at_ns, 0)]);
        }
        let (frames, forgotten) = recent.between(10, 35);
        assert_eq!(frames.iter().map(|f| f.at_ns).collect::<Vec<_>>(), [15, 20, 30]);
        assert!(forgotten, "the frame at 10 has made room");
        assert!(!recent.between(11, 35).1);
    }
}
