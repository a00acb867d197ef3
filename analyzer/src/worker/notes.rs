//! What a worker among several writes down of a link instead of measuring it: peaks, silences and slots come of all packets of a link,
//! of which each worker has some. A meter reads the notes of all of them, in the order of the frames.

use super::line::Line;
use super::slots::note_source;

/// No run is open.
pub(super) const CLOSED: u32 = u32::MAX;

/// Packets of one link within one bin of 100 us.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    pub start_ns: u64,
    /// Of the first of them, and the latest.
    pub first_ns: u64,
    pub last_ns: u64,
    pub bytes: u64,
    pub packets: u32,
    pub ect: u32,
    /// While pause frames held the sender.
    pub held: u32,
    pub cnps: u32,
    /// Marked CE, the first and the latest of those.
    pub ce: u32,
    pub ce_frame: u64,
    pub ce_first_ns: u64,
    pub ce_last_ns: u64,
    pub sources: [u64; 4],
}

/// A pause frame: holds the sender of a link for so long, where that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub at_ns: u64,
    pub hold_ns: Option<u64>,
    pub holds: bool,
}

impl Hold {
    /// Of a pause frame of several classes the one that is held longest counts.
    pub fn of(at_ns: u64, quanta: &[Option<u16>], speed_bps: Option<u64>) -> Self {
        let longest = quanta.iter().flatten().max().copied();
        let speed_bps = speed_bps.filter(|&s| s > 0);
        let hold_ns = longest.zip(speed_bps).map(|(q, speed)| u64::from(q) * 512 * 1_000_000_000 / speed);
        Self { at_ns, hold_ns, holds: longest.is_some_and(|q| q > 0) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Noted {
    Run(Run),
    Hold(Hold),
}

/// What was noted, of which link, at which frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub frame: u64,
    pub link: u32,
    /// Time went on without going back, and without pause frames.
    stretch: u32,
    pub noted: Noted,
}

/// A packet on a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub at_ns: u64,
    pub bytes: u32,
    pub ecn: u8,
    pub source: u8,
    pub held: bool,
}

/// The notes of a tick, in the order of the frames.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<Note>,
    pub frame: u64,
    pub stretch: u32,
}

impl Notes {
    /// A packet of a link whose newest run is `open`; gives the place of its run now.
    pub fn passes(&mut self, link: u32, open: u32, start_ns: u64, packet: &Passing) -> u32 {
        let (stretch, frame) = (self.stretch, self.frame);
        let same = |note: &&mut Note| {
            (note.link, note.stretch) == (link, stretch)
                && matches!(&note.noted, Noted::Run(run) if run.start_ns == start_ns)
        };
        let (place, run) = match self.all.get_mut(open as usize).filter(same) {
            Some(Note { noted: Noted::Run(run), .. }) => (open, run),
            _ => match self.begin(link, start_ns, packet.at_ns) {
                Some(begun) => begun,
                None => return CLOSED,
            },
        };
        run.takes(packet, frame);
        place
    }

    fn begin(&mut self, link: u32, start_ns: u64, first_ns: u64) -> Option<(u32, &mut Run)> {
        let place = self.all.len() as u32;
        let noted = Noted::Run(Run { start_ns, first_ns, ..Run::default() });
        self.all.push(Note { frame: self.frame, link, stretch: self.stretch, noted });
        match self.all.last_mut() {
            Some(Note { noted: Noted::Run(run), .. }) => Some((place, run)),
            _ => None,
        }
    }

    /// The run at a place.
    pub fn run(&mut self, place: u32) -> Option<&mut Run> {
        match self.all.get_mut(place as usize) {
            Some(Note { noted: Noted::Run(run), .. }) => Some(run),
            _ => None,
        }
    }

    pub fn hold(&mut self, link: u32, hold: Hold) {
        self.all.push(Note { frame: self.frame, link, stretch: self.stretch, noted: Noted::Hold(hold) });
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The link of a note.
    pub fn link(&self, note: usize) -> Option<usize> {
        self.all.get(note).map(|note| note.link as usize)
    }

    /// Hands them over; `used` is a list that is of no use any more.
    pub fn take(&mut self, mut used: Vec<Note>) -> Vec<Note> {
        used.clear();
        std::mem::replace(&mut self.all, used)
    }
}

impl Run {
    fn takes(&mut self, packet: &Passing, frame: u64) {
        self.last_ns = self.last_ns.max(packet.at_ns);
        self.bytes += u64::from(packet.bytes);
        self.packets += 1;
        self.ect += u32::from(packet.ecn != 0);
        self.held += u32::from(packet.held);
        note_source(&mut self.sources, packet.source);
        if packet.ecn == 3 {
            if self.ce == 0 {
                (self.ce_first_ns, self.ce_frame) = (packet.at_ns, frame);
            }
            self.ce += 1;
            self.ce_last_ns = self.ce_last_ns.max(packet.at_ns);
        }
    }

    /// What a line gathered behind its first packet.
    pub fn gathered(&mut self, line: &Line) {
        self.last_ns = self.last_ns.max(line.last_ns());
        self.bytes += line.bytes;
        self.packets += line.packets;
        self.ect += line.ect;
        for (own, more) in self.sources.iter_mut().zip(line.sources) {
            *own |= more;
        }
    }
}
