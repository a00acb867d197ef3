//! Who answers for an address (RFC 826, RFC 4861): moves, and two stations with one address.

use std::collections::BTreeMap;

use super::state::{Said, entry, mac};
use super::{UNWANTED, WANTED};
use crate::control::ControlEvent;
use crate::detect::About;
use crate::packet::Addr;

/// An answer to a probe comes within this time (RFC 5227: 1 to 2 s between probes).
const ANSWER_NS: u64 = 2_000_000_000;

#[derive(Debug, Default)]
struct Owner {
    mac: [u8; 6],
    since_ns: u64,
    last_ns: u64,
    /// Who had it before, and until when.
    before: Option<([u8; 6], u64)>,
    /// Who asked whether it is free, and when.
    probe: Option<([u8; 6], u64)>,
}

/// Addresses and their stations, by VLAN.
#[derive(Debug)]
pub struct Owners {
    conflict_ns: u64,
    known: BTreeMap<(Option<u16>, Addr), Owner>,
}

impl Owners {
    pub fn new(conflict_ns: u64) -> Self {
        Self { conflict_ns, known: BTreeMap::new() }
    }

    pub fn probes(&mut self, event: &ControlEvent, ip: Addr, mac: [u8; 6]) {
        if let Some(owner) = entry(&mut self.known, (event.vlan, ip)) {
            owner.probe = Some((mac, event.last_ns));
        }
    }

    pub fn owns(&mut self, event: &ControlEvent, ip: Addr, station: [u8; 6], said: &mut Said<'_>) {
        let conflict_ns = self.conflict_ns;
        let Some(owner) = entry(&mut self.known, (event.vlan, ip)) else { return };
        let asked = owner.probe.take_if(|(_, at)| event.at_ns.saturating_sub(*at) > ANSWER_NS || *at < event.at_ns);
        if let Some((asker, at)) = asked
            && asker != station
            && event.at_ns.saturating_sub(at) <= ANSWER_NS
        {
            let note = format!("{} asks whether {ip} is free, and {} has it", mac(asker), mac(station));
            said.about(About::Host(ip), event, UNWANTED, "answer to a probe", note);
        }
        if owner.mac == station || owner.last_ns == 0 {
            (owner.mac, owner.last_ns) = (station, event.last_ns);
            owner.since_ns = if owner.since_ns == 0 { event.at_ns } else { owner.since_ns };
            return;
        }
        let old = owner.mac;
        let back =
            owner.before.is_some_and(|(mac, until)| mac == station && event.at_ns.saturating_sub(until) <= conflict_ns);
        if back {
            let note = format!("{} and {} claim the address {ip} in turn", mac(old), mac(station));
            said.about(About::Host(ip), event, UNWANTED, "another station claims the address", note);
        } else if !is_virtual(old) && !is_virtual(station) {
            let note = format!("{ip} moved from {} to {}", mac(old), mac(station));
            said.about(About::Host(ip), event, WANTED, "another station claims the address", note);
        }
        owner.before = Some((old, owner.last_ns));
        (owner.mac, owner.since_ns, owner.last_ns) = (station, event.at_ns, event.last_ns);
    }
}

/// The address of a virtual router (RFC 9568 7.3), which moves by design.
fn is_virtual(mac: [u8; 6]) -> bool {
    matches!(mac, [0, 0, 0x5e, 0, 1 | 2, _])
}
