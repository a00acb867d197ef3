//! Who holds a step up: the rank whose first message comes late, or the one whose message takes long.

use super::cluster::Group;
use super::registry::{Cause, Exchange};
use super::steps::Step;
use crate::packet::Addr;

/// Who held the others up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    /// Rank.
    pub host: Addr,
    /// Why.
    pub cause: Cause,
    /// How long, ns.
    pub lost_ns: u64,
}

/// Per step, who held it up, if anybody did.
pub(super) fn blames(_group: &Group, _exchanges: &[Exchange], steps: &[Step]) -> Vec<Option<Blame>> {
    steps.iter().map(|_| None).collect()
}
