//! Jobs whose exchanges change from phase to phase, told by silences and by the same graph of messages coming again.

use super::lane::Lane;
use super::registry::Found;

/// Finds them.
pub(super) fn find<'a>(_lanes: impl Iterator<Item = &'a Lane>) -> Vec<Found> {
    Vec::new()
}
