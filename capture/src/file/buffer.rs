//! A window over a stream of bytes, wide enough for whatever record is read next.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

/// Buffers that somebody kept, used again when nobody does any more; of more those are forgotten.
const KEPT: usize = 64;

/// What lies between `start` and `end` was read and not yet consumed.
pub(super) struct Buffer {
    stream: Box<dyn Read + Send>,
    /// Bytes asked of the stream at once.
    width: usize,
    bytes: Arc<Vec<u8>>,
    kept: Vec<Arc<Vec<u8>>>,
    start: usize,
    end: usize,
    /// Offset in the stream of the byte at `start`.
    offset: u64,
    ended: bool,
    error: Option<std::io::Error>,
}

impl Buffer {
    pub(super) fn new(stream: Box<dyn Read + Send>, width: usize) -> Self {
        Self {
            stream,
            width,
            bytes: Arc::new(vec![0; width]),
            kept: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
            error: None,
        }
    }

    /// What is there and not yet consumed.
    pub(super) fn window(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// All that is held, for ranges counted from [`Buffer::position`].
    pub(super) fn held(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Where in [`Buffer::held`] the window begins.
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Offset in the stream of the window's first byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the window holds all that is still to come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Why the stream ended, if it was not by itself.
    pub(super) fn take_error(&mut self) -> Option<std::io::Error> {
        self.error.take()
    }

    /// Passes over the first `count` bytes of the window; the bytes stay in place until the next [`Buffer::need`].
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Passes over `count` bytes of the stream, also beyond the window.
    pub(super) fn skip(&mut self, mut count: u64) {
        while count > 0 {
            let here = usize::try_from(count).unwrap_or(usize::MAX).min(self.end - self.start);
            self.consume(here);
            count -= here as u64;
            if count > 0 && !self.need(1) {
                return;
            }
        }
    }

    /// Widens the window to at least `count` bytes, moving what it holds. Says whether the stream had that many.
    pub(super) fn need(&mut self, count: usize) -> bool {
        if self.end - self.start < count && !self.ended {
            self.make_room(count);
        }
        while self.end - self.start < count && !self.ended {
            self.read();
        }
        self.end - self.start >= count
    }

    fn make_room(&mut self, count: usize) {
        let length = self.bytes.len().max(count.next_multiple_of(self.width));
        match Arc::get_mut(&mut self.bytes) {
            Some(bytes) => {
                bytes.copy_within(self.start..self.end, 0);
                if bytes.len() < length {
                    bytes.resize(length, 0);
                }
            }
            None => self.move_on(length),
        }
        self.end -= self.start;
        self.start = 0;
    }

    /// Somebody keeps what is held: the window goes on in another buffer.
    fn move_on(&mut self, length: usize) {
        let free = self.kept.iter().position(|kept| Arc::strong_count(kept) == 1);
        let mut next = free.map(|free| self.kept.swap_remove(free)).unwrap_or_default();
        if let Some(bytes) = Arc::get_mut(&mut next) {
            bytes.resize(length.max(bytes.len()), 0);
            let window = self.bytes.get(self.start..self.end).unwrap_or_default();
            if let Some(to) = bytes.get_mut(..window.len()) {
                to.copy_from_slice(window);
            }
        }
        let kept = std::mem::replace(&mut self.bytes, next);
        if self.kept.len() < KEPT {
            self.kept.push(kept);
        }
    }

    fn read(&mut self) {
        let Some(room) = Arc::get_mut(&mut self.bytes).and_then(|bytes| bytes.get_mut(self.end..)) else {
            self.make_room(self.end - self.start + 1);
            return;
        };
        match self.stream.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                self.error = Some(error);
                self.ended = true;
            }
        }
    }
}
