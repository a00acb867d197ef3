//! The first bytes of one direction, in order: bounded, tolerant of disorder and of a capture that begins in the middle.

use std::collections::VecDeque;

/// Bytes of one direction looked at.
pub const HEAD_BYTES: usize = 8192;
/// Bytes of memory that a head that is free keeps for the next.
const SPARE_BYTES: usize = 2048;
/// Segments ahead of a gap that are kept.
const MAX_AHEAD: usize = 6;
/// A segment this far from what is expected belongs to another life of the connection.
const FAR: i32 = 1 << 20;

/// The head of one direction.
#[derive(Debug, Default)]
pub struct Head {
    /// Bytes so far (TCP), or datagrams each behind its length.
    pub bytes: Vec<u8>,
    /// TCP sequence number of the next byte.
    next: Option<u32>,
    /// TCP sequence number of the first of `bytes`.
    first: Option<u32>,
    /// The bytes begin anew: what was excluded by those before no longer holds.
    pub anew: bool,
    /// The mirror cut the latest segment: what follows it does not follow on `bytes`.
    cut: bool,
    /// The connection's first byte is the first of `bytes`.
    pub from_start: bool,
    /// Payload packets seen.
    pub packets: u16,
    ahead: VecDeque<(u32, Vec<u8>)>,
}

/// The heads of a direction and of the other one.
pub fn own_first(heads: &mut [Head; 2], dir: usize) -> (&mut Head, &mut Head) {
    let [a, b] = heads;
    if dir == 0 { (a, b) } else { (b, a) }
}

impl Head {
    /// The handshake named the first sequence number.
    pub fn starts_at(&mut self, seq: u32) {
        if self.bytes.is_empty() && self.packets == 0 {
            self.next = Some(seq);
            self.from_start = true;
        }
    }

    /// New bytes of a segment: those that follow on what is known. `None`: old, or ahead of a gap.
    pub fn take<'p>(&mut self, seq: u32, payload: &'p [u8]) -> Option<&'p [u8]> {
        if std::mem::take(&mut self.cut) {
            return self.anchor(seq, payload);
        }
        let next = *self.next.get_or_insert(seq);
        self.first.get_or_insert(next);
        let offset = seq.wrapping_sub(next) as i32;
        if offset.abs() > FAR {
            return self.anchor(seq, payload);
        }
        if offset > 0 {
            return self.keep_ahead(seq, payload);
        }
        if !self.from_start && self.first == Some(seq.wrapping_add(payload.len() as u32)) {
            return self.keep_before(seq, payload);
        }
        let new = payload.get(offset.unsigned_abs() as usize..).filter(|p| !p.is_empty())?;
        self.next = Some(next.wrapping_add(new.len() as u32));
        Some(new)
    }

    /// Holds a segment until the gap before it is filled. A gap that stays is a loss of the mirror: begin anew behind it.
    fn keep_ahead<'p>(&mut self, seq: u32, payload: &'p [u8]) -> Option<&'p [u8]> {
        if self.ahead.len() >= MAX_AHEAD {
            return self.anchor(seq, payload);
        }
        if !self.ahead.iter().any(|(s, _)| *s == seq) {
            let room = HEAD_BYTES / 2;
            self.ahead.push_back((seq, payload.get(..room).unwrap_or(payload).to_vec()));
        }
        None
    }

    /// A stream joined in its middle was joined in disorder: this segment stands before the first one.
    fn keep_before<'p>(&mut self, seq: u32, payload: &'p [u8]) -> Option<&'p [u8]> {
        let room = HEAD_BYTES.saturating_sub(self.bytes.len());
        self.bytes.splice(0..0, payload.get(..room).unwrap_or(payload).iter().copied());
        (self.first, self.anew) = (Some(seq), true);
        payload.get(..0)
    }

    /// The mirror cut the segment just taken by so many bytes.
    pub fn lost(&mut self, missing: u32) {
        self.next = self.next.map(|next| next.wrapping_add(missing));
        self.cut = true;
    }

    /// Begins anew with this segment, as in the middle of a stream.
    fn anchor<'p>(&mut self, seq: u32, payload: &'p [u8]) -> Option<&'p [u8]> {
        self.ahead.clear();
        self.bytes.clear();
        (self.from_start, self.anew) = (false, true);
        (self.first, self.next) = (Some(seq), Some(seq.wrapping_add(payload.len() as u32)));
        Some(payload)
    }

    /// Segments that wait behind a gap.
    pub fn is_waiting(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Keeps bytes for later looks.
    pub fn keep(&mut self, new: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(new.get(..room).unwrap_or(new));
    }

    /// Appends what waited behind the gap that has just been filled.
    pub fn pull(&mut self) {
        while let (Some(next), Some(at)) = (self.next, self.reached()) {
            let Some((seq, held)) = self.ahead.remove(at) else { return };
            let old = next.wrapping_sub(seq) as usize;
            if let Some(new) = held.get(old..).filter(|n| !n.is_empty()) {
                self.next = Some(next.wrapping_add(new.len() as u32));
                self.keep(new);
            }
        }
    }

    fn reached(&self) -> Option<usize> {
        let next = self.next?;
        self.ahead.iter().position(|(seq, _)| seq.wrapping_sub(next) as i32 <= 0)
    }

    /// Keeps a datagram behind its length, while there is room.
    pub fn keep_datagram(&mut self, datagram: &[u8]) {
        let len = datagram.len().min(usize::from(u16::MAX));
        if self.bytes.len() + 2 + len <= HEAD_BYTES {
            self.bytes.extend_from_slice(&(len as u16).to_be_bytes());
            self.bytes.extend_from_slice(datagram.get(..len).unwrap_or_default());
        }
    }

    /// Forgets everything but its memory, as far as that is little.
    pub fn renew(&mut self) {
        let Self { mut bytes, mut ahead, .. } = std::mem::take(self);
        bytes.clear();
        ahead.clear();
        if bytes.capacity() <= SPARE_BYTES {
            self.bytes = bytes;
        }
        self.ahead = ahead;
    }

    /// Forgets the first bytes: they were a prologue.
    pub fn skip(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(head: &mut Head, seq: u32, payload: &[u8]) {
        if let Some(new) = head.take(seq, payload) {
            head.keep(new);
            head.pull();
        }
        head.packets += 1;
    }

    #[test]
    fn disorder_overlap_and_repeats() {
        let mut head = Head::default();
        head.starts_at(u32::MAX - 1);
        feed(&mut head, 2, b"efgh");
        feed(&mut head, u32::MAX - 1, b"abcd");
        feed(&mut head, u32::MAX - 1, b"abcd");
        feed(&mut head, 4, b"ghij");
        assert_eq!(head.bytes, b"abcdefghij");
        assert!(head.from_start);
    }

    #[test]
    fn a_capture_from_the_middle_and_a_lasting_gap() {
        let mut head = Head::default();
        feed(&mut head, 1000, b"x");
        assert!(!head.from_start);
        for i in 0..=MAX_AHEAD as u32 {
            feed(&mut head, 1010 + i, b"y");
        }
        assert_eq!(head.bytes, b"y");
    }

    #[test]
    fn joined_in_disorder() {
        let mut head = Head::default();
        feed(&mut head, 1004, b"efgh");
        feed(&mut head, 1000, b"abcd");
        feed(&mut head, 1008, b"ij");
        assert_eq!((head.bytes.as_slice(), head.from_start, head.anew), (&b"abcdefghij"[..], false, true));
    }

    #[test]
    fn what_follows_a_cut_segment_begins_anew() {
        let mut head = Head::default();
        head.starts_at(5);
        feed(&mut head, 5, b"ab");
        head.lost(98);
        feed(&mut head, 105, b"cd");
        assert_eq!((head.bytes.as_slice(), head.from_start), (&b"cd"[..], false));
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let mut head = Head::default();
        for i in 0..100_u32 {
            feed(&mut head, i * 1000, &[7; 1000]);
        }
        assert_eq!(head.bytes.len(), HEAD_BYTES);
    }
}
