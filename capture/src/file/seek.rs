//! Finding the way back into a damaged file: the next place from which a chain of sound records runs.

use crate::file::format::{Found, Stop, Window};
use crate::source::Damage;

/// Whether sound records begin at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Sound,
    Unsound,
    /// This many bytes from that place on are needed to tell.
    Unsure(usize),
}

/// The damage whose end is sought.
#[derive(Debug)]
pub(super) struct Seek {
    offset: u64,
    expected: String,
    found: String,
}

impl Seek {
    /// Damage at the first byte that is not consumed; the search begins behind that byte.
    pub(super) fn begin(window: Window<'_>, found: &mut Found, expected: String, what: String) -> Self {
        let offset = window.offset_at(found.consumed);
        found.consumed += 1;
        Self { offset, expected, found: what }
    }

    /// Passes over bytes until records are sound again (`None`), or says what it takes to go on.
    pub(super) fn on(
        &self,
        window: Window<'_>,
        found: &mut Found,
        judge: impl Fn(&[u8], bool) -> Judged,
    ) -> Option<Stop> {
        while found.consumed < window.bytes.len() {
            match judge(window.rest(found.consumed), window.last) {
                Judged::Sound => {
                    let at = window.offset_at(found.consumed);
                    let passed = at - self.offset;
                    found.damage.push(self.damage(format!("{passed} bytes passed over, reading went on at byte {at}")));
                    return None;
                }
                Judged::Unsound => found.consumed += 1,
                Judged::Unsure(count) => return Some(Stop::Need(count)),
            }
        }
        if !window.last {
            return Some(Stop::Need(1));
        }
        found.damage.push(self.damage("nothing that can be read follows, reading ended".to_owned()));
        Some(Stop::End)
    }

    fn damage(&self, outcome: String) -> Damage {
        Damage { offset: self.offset, expected: self.expected.clone(), found: self.found.clone(), outcome }
    }
}

/// The file ends inside of a record.
pub(super) fn cut(window: Window<'_>, found: &mut Found, what: &str, needed: usize) -> Stop {
    let left = window.rest(found.consumed).len();
    if left > 0 {
        found.damage.push(Damage {
            offset: window.offset_at(found.consumed),
            expected: format!("{what} of at least {needed} bytes"),
            found: format!("the file's last {left} bytes"),
            outcome: "what precedes it was read, reading ended".to_owned(),
        });
        found.consumed += left;
    }
    Stop::End
}
