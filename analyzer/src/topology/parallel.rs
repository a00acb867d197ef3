//! Parallel links that the topology does not call a group: the links of a leaf to the switches above it carry the same traffic
//! side by side, and so do those that come down to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::tick::LinkInfo;

/// Gives links between a switch with hosts and one without a group, one for each direction, where the topology names none.
pub(super) fn name_groups(links: &mut [LinkInfo]) {
    let hosts: BTreeSet<String> = links.iter().filter(|l| l.host.is_some()).map(host_end).collect();
    let leaves: BTreeSet<String> = links.iter().filter(|l| l.host.is_some()).map(switch_end).collect();
    let is_spine = |node: &str| !hosts.contains(node) && !leaves.contains(node);
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, link) in links.iter().enumerate().filter(|(_, l)| l.group.is_none() && l.host.is_none()) {
        if leaves.contains(&link.from) && is_spine(&link.to) {
            members.entry(format!("{} up", link.from)).or_default().push(at);
        } else if leaves.contains(&link.to) && is_spine(&link.from) {
            members.entry(format!("{} down", link.to)).or_default().push(at);
        }
    }
    for (name, places) in members.into_iter().filter(|(_, places)| places.len() > 1) {
        for at in places {
            if let Some(link) = links.get_mut(at) {
                link.group = Some(name.clone());
            }
        }
    }
}

fn host_end(link: &LinkInfo) -> String {
    if link.to_host { link.to.clone() } else { link.from.clone() }
}

fn switch_end(link: &LinkInfo) -> String {
    if link.to_host { link.from.clone() } else { link.to.clone() }
}
