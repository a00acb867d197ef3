//! Evidence on offer: for each finding, the frames around it as a pcapng file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// Bytes of all files kept; the oldest make room.
const BYTES_MAX: usize = 64 << 20;

/// Files by finding, cheap to clone: one clone for who writes, one for the API.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    files: BTreeMap<String, Arc<[u8]>>,
    order: VecDeque<String>,
    bytes: usize,
    removed: u64,
}

impl Shelf {
    /// Puts a file there, in place of an earlier one of the same finding.
    pub fn put(&self, finding: &str, file: Vec<u8>) {
        let Ok(mut held) = self.held.lock() else { return };
        held.remove(finding);
        held.bytes += file.len();
        held.files.insert(finding.to_owned(), file.into());
        held.order.push_back(finding.to_owned());
        while held.bytes > BYTES_MAX {
            let Some(oldest) = held.order.front().cloned() else { break };
            held.remove(&oldest);
            held.removed += 1;
        }
    }

    /// The file of a finding.
    pub fn get(&self, finding: &str) -> Option<Arc<[u8]>> {
        self.held.lock().ok()?.files.get(finding).cloned()
    }

    /// Files kept, and files that made room.
    pub fn counts(&self) -> (u64, u64) {
        self.held.lock().map_or((0, 0), |held| (held.files.len() as u64, held.removed))
    }
}

impl Held {
    fn remove(&mut self, finding: &str) {
        if let Some(file) = self.files.remove(finding) {
            self.bytes -= file.len();
            self.order.retain(|other| other != finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let shelf = Shelf::default();
        for n in 0..5 {
            shelf.put(&n.to_string(), vec![n; 16 << 20]);
        }
        assert_eq!((shelf.get("0"), shelf.counts()), (None, (4, 1)));
        shelf.put("1", vec![9]);
        assert_eq!(shelf.get("1").as_deref(), Some(&[9][..]));
        assert_eq!(shelf.counts(), (4, 1));
    }
}
