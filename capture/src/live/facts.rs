//! What a machine can do with an interface: for the choice of the mode, and for whoever wants to mend it.

use crate::error::OpenError;
use crate::live::LiveOptions;
use crate::live::ethtool::Ethtool;
use crate::live::ladder::{self, Choice, LADDER, Mode};
use crate::live::netlink::{Link, Netlink};
use crate::live::sys;

/// Facts about an interface. What the driver does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub interface: String,
    /// Its index in the system.
    pub index: u32,
    /// Name of the driver.
    pub driver: Option<String>,
    /// Kind of virtual device (`veth`, `bridge`); `None` for hardware.
    pub kind: Option<String>,
    /// Up, and with a carrier.
    pub running: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Rated speed in bit/s, of this port (not of the mirrored link).
    pub speed_bps: Option<u64>,
    /// Receive queues in use; each needs its socket.
    pub queues: u32,
    /// Entries of the device's receive ring: in use, and at most.
    pub ring: Option<(u32, u32)>,
    /// Whether VLAN tags are taken out of frames.
    pub takes_tags: Option<bool>,
    /// Whether software joins received segments (GRO).
    pub joins_in_software: Option<bool>,
    /// Whether the device joins received segments (LRO).
    pub joins_in_device: Option<bool>,
    /// Whether the device stamps frames with its own clock.
    pub stamps: Option<bool>,
    /// Whether the host has addresses on it, beyond the link's own.
    pub has_addresses: bool,
    /// Whether it is in a bridge or bond.
    pub enslaved: bool,
    /// Whether somebody's XDP program is on it.
    pub xdp_program: bool,
    /// Frames that the device lost so far.
    pub missed: u64,
    /// Node of memory that the device is close to.
    pub numa_node: Option<u32>,
}

impl Facts {
    pub(crate) fn of(interface: &str, index: u32) -> Self {
        let netlink = Netlink::open().ok();
        let link = netlink.as_ref().and_then(|n| n.link(index).ok().flatten()).unwrap_or_default();
        let has_addresses = netlink.is_some_and(|n| n.has_addresses(index).unwrap_or(false));
        let facts = Self { interface: interface.to_owned(), index, has_addresses, ..Self::default() };
        facts.with_link(link).with_driver()
    }

    fn with_link(self, link: Link) -> Self {
        Self {
            kind: link.kind,
            running: link.running,
            mtu: link.mtu,
            queues: link.rx_queues.max(1),
            enslaved: link.enslaved,
            xdp_program: link.xdp,
            missed: link.missed,
            ..self
        }
    }

    fn with_driver(self) -> Self {
        let Some(ethtool) = Ethtool::new(&self.interface) else { return self };
        let (joins_in_software, joins_in_device) = ethtool.joins_segments();
        let numa = std::fs::read_to_string(format!("/sys/class/net/{}/device/numa_node", self.interface));
        Self {
            driver: ethtool.driver(),
            speed_bps: ethtool.speed_bps(),
            queues: ethtool.queues().unwrap_or(self.queues),
            ring: ethtool.ring(),
            takes_tags: ethtool.takes_tags(),
            joins_in_software,
            joins_in_device,
            stamps: ethtool.stamps(),
            numa_node: numa.ok().and_then(|n| n.trim().parse().ok()),
            ..self
        }
    }
}

/// How one mode fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The mode.
    pub mode: Mode,
    /// Why it can't be used, if it can't.
    pub refused: Option<String>,
    /// Why it is not taken unless asked for, though it can be used.
    pub objection: Option<String>,
}

/// Facts about an interface, and how each mode of capture fares on it, best first.
///
/// Every mode is opened and closed again: while one of AF_XDP is open, some microseconds, the host does not see what
/// arrives. Modes to which there is an objection are therefore not tried.
///
/// # Errors
/// When there is no such interface.
pub fn probe(interface: &str) -> Result<(Facts, Vec<Trial>), OpenError> {
    let index = sys::interface_index(interface);
    if index == 0 {
        return Err(OpenError::NoInterface { interface: interface.to_owned() });
    }
    sys::raise_memory_lock_limit();
    let facts = Facts::of(interface, index);
    let trials = LADDER.into_iter().map(|mode| trial(mode, &facts)).collect();
    Ok((facts, trials))
}

fn trial(mode: Mode, facts: &Facts) -> Trial {
    let objection = mode.objection(facts);
    let options = LiveOptions { choice: Choice::Only(mode), ring_bytes: 4 * 1024 * 1024, ..LiveOptions::default() };
    let refused = if objection.is_some() { None } else { ladder::try_mode(mode, facts, &options).err() };
    Trial { mode, refused, objection }
}
