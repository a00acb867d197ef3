//! The control plane as packets show it: what neighbours, routers and hosts say of themselves. Compact records, made where such
//! frames are met (they come rarely), handed over in the tick; detectors compare them over time.

mod log;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::packet::Addr;
use crate::tick::LinkId;
use crate::topology::Neighbour;

pub use log::ControlLog;
pub use read::{frame, packet};

/// Names of flows whose every packet is a record's matter.
pub const WATCHED: [&str; 5] = ["bfd", "bgp", "ospf", "icmp", "icmpv6"];

/// Records of one tick; further ones are counted.
pub const MOST: usize = 4_096;

/// What somebody said, once or several times in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlEvent {
    /// First time.
    pub at_ns: u64,
    /// Last time.
    pub last_ns: u64,
    /// How often.
    pub count: u32,
    /// Where it was seen; `None` for a neighbour whose host no other packet named.
    pub link: Option<LinkId>,
    /// VLAN, if tagged.
    pub vlan: Option<u16>,
    /// Who said it: an IP address, a MAC address where there is none.
    pub src: Addr,
    /// To whom.
    pub dst: Addr,
    /// What.
    pub says: Says,
}

/// One end of an aggregated link, as LACP names it (IEEE 802.1AX 6.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LacpEnd {
    /// System.
    pub system: [u8; 6],
    /// Port number.
    pub port: u16,
    /// Activity 1, short timeout 2, aggregation 4, synchronisation 8, collecting 0x10, distributing 0x20, defaulted 0x40, expired 0x80.
    pub state: u8,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// LLDP: who I am. `ttl_s` 0: I am going.
    Lldp {
        /// The neighbour.
        neighbour: Arc<Neighbour>,
        /// How long this holds, in s.
        ttl_s: u16,
    },
    /// LACP: both ends as the sender sees them.
    Lacp {
        /// The sender.
        actor: LacpEnd,
        /// The other end.
        partner: LacpEnd,
    },
    /// BFD control packet (RFC 5880 4.1).
    Bfd {
        /// 0 admin down, 1 down, 2 init, 3 up.
        state: u8,
        /// Why the session went down last.
        diagnostic: u8,
        /// Missed packets that end the session, times the interval at which it sends, in us.
        detection_us: u64,
        /// The sender's discriminator.
        session: u32,
    },
    /// BGP session opened: AS number (two bytes of it) and hold time in s.
    BgpOpen {
        /// AS number; 23456 stands for a longer one.
        asn: u16,
        /// Hold time, in s.
        hold_s: u16,
    },
    /// BGP NOTIFICATION: the session ends (RFC 4271 4.5).
    BgpNotification {
        /// Error code.
        code: u8,
        /// Its subcode.
        subcode: u8,
    },
    /// The TCP connection of a BGP session was reset, or closed without a word.
    BgpClosed {
        /// By RST.
        reset: bool,
    },
    /// ARP or neighbour discovery: this address is mine.
    Owns {
        /// The address.
        ip: Addr,
        /// The hardware address.
        mac: [u8; 6],
    },
    /// Is this address free (RFC 5227, RFC 4862 5.4)?
    Probes {
        /// The address.
        ip: Addr,
        /// Who asks.
        mac: [u8; 6],
    },
    /// ICMP time exceeded in transit: a packet ran out of hops.
    TimeExceeded {
        /// Its sender.
        of: Addr,
        /// Where it should have gone.
        to: Addr,
    },
    /// A packet came back with less time to live.
    Again {
        /// How many hops less.
        hops: u8,
    },
    /// OSPF Hello (RFC 2328 A.3.2).
    OspfHello {
        /// Router id.
        router: u32,
        /// Silence that ends an adjacency, in s.
        dead_s: u32,
        /// Neighbours heard, by router id, ascending; at most 32.
        hears: Arc<[u32]>,
    },
    /// IS-IS Hello (ISO/IEC 10589 9.5 to 9.7).
    IsisHello {
        /// System id.
        system: [u8; 6],
        /// Silence that ends an adjacency, in s.
        hold_s: u16,
        /// Point to point: state of the adjacency, 0 up, 1 initialising, 2 down.
        state: Option<u8>,
        /// LAN: neighbours heard, by MAC address, ascending; at most 32.
        hears: Arc<[[u8; 6]]>,
    },
}
