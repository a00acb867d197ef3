//! A frame as it was captured, and the interface that it was captured on.

/// Index of an [`Interface`] within one source, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct InterfaceId(pub u16);

/// Which way a frame crossed the interface it was captured on, where the capture says so (pcapng `epb_flags`, SLL packet type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// The capture does not say.
    #[default]
    Unknown,
    /// Received by the interface.
    In,
    /// Sent by the interface.
    Out,
}

/// Latest time of a frame, in the year 2262: sums with it cannot overflow, whatever a damaged file says.
pub const LATEST_NS: u64 = i64::MAX as u64;

/// One frame, lent: valid until the source is asked for the next batch.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The captured bytes, from the link-layer header on.
    pub bytes: &'a [u8],
    /// Nanoseconds since the Unix epoch, at most [`LATEST_NS`].
    pub at_ns: u64,
    /// Length on the wire in bytes; more than `bytes.len()` when the capture cut the frame.
    pub wire_len: u32,
    /// Where it was captured.
    pub interface: InterfaceId,
    /// Which way it went, if known.
    pub direction: Direction,
}

/// What is known of a capture interface: one per classic pcap file, one per pcapng interface description block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index by which frames name it.
    pub id: InterfaceId,
    /// File name without folders (classic pcap, pcapng) or device name (live). Topology `mirrors[].pcap` / `.interface` match it.
    pub source: String,
    /// Interface name from the capture (pcapng `if_name`), if it carries one.
    pub name: Option<String>,
    /// Index of the interface within its file: the topology's `key.pcapng_interface`. 0 for classic pcap.
    pub index_in_file: u32,
    /// What the first byte of each frame belongs to.
    pub link_type: LinkType,
    /// Rated speed in bit/s (pcapng `if_speed`), if known.
    pub speed_bps: Option<u64>,
    /// Longest captured frame in bytes; 0 means no limit.
    pub snaplen: u32,
    /// Bytes of frame check sequence at the end of each frame, where the capture says so (pcapng `if_fcslen`).
    pub fcs_len: u8,
}

/// Link-layer header types, numbered as in the pcap file header (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// 0: BSD loopback, address family in the capturing host's byte order.
    Null,
    /// 1: Ethernet.
    Ethernet,
    /// 12, 14, 101: raw IP, version from the first nibble.
    RawIp,
    /// 108: OpenBSD loopback, address family in network byte order.
    Loop,
    /// 113: Linux cooked capture v1.
    LinuxSll,
    /// 197: Endace ERF records, payload type in the record.
    Erf,
    /// 228: raw IPv4.
    RawIpv4,
    /// 229: raw IPv6.
    RawIpv6,
    /// 247: native InfiniBand, from the local route header on.
    Infiniband,
    /// 276: Linux cooked capture v2.
    LinuxSll2,
    /// Any other: refused by name, with its number.
    Other(u16),
}

impl LinkType {
    /// From the number in a pcap file header or a pcapng interface description block (upper 16 bits masked by the caller).
    pub fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 => Self::RawIp,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            197 => Self::Erf,
            228 => Self::RawIpv4,
            229 => Self::RawIpv6,
            247 => Self::Infiniband,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }

    /// Number in capture file headers; raw IP is 101.
    pub fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::Erf => 197,
            Self::RawIpv4 => 228,
            Self::RawIpv6 => 229,
            Self::Infiniband => 247,
            Self::LinuxSll2 => 276,
            Self::Other(number) => number,
        }
    }

    /// Short lower-case name for reports and messages: `ethernet`, `linux-sll`, `infiniband`, `ieee802.11`, `linktype-N`.
    pub fn name(self) -> String {
        let known = match self {
            Self::Null => "null",
            Self::Ethernet => "ethernet",
            Self::RawIp => "raw-ip",
            Self::Loop => "loop",
            Self::LinuxSll => "linux-sll",
            Self::Erf => "erf",
            Self::RawIpv4 => "raw-ipv4",
            Self::RawIpv6 => "raw-ipv6",
            Self::Infiniband => "infiniband",
            Self::LinuxSll2 => "linux-sll2",
            Self::Other(9) => "ppp",
            Self::Other(50) => "ppp-hdlc",
            Self::Other(104) => "cisco-hdlc",
            Self::Other(105) => "ieee802.11",
            Self::Other(107) => "frame-relay",
            Self::Other(119) => "ieee802.11-prism",
            Self::Other(127) => "ieee802.11-radiotap",
            Self::Other(147..=162) => "user-defined",
            Self::Other(189 | 220) => "usb-linux",
            Self::Other(195 | 230) => "ieee802.15.4",
            Self::Other(201) => "bluetooth-hci",
            Self::Other(number) => return format!("linktype-{number}"),
        };
        known.to_owned()
    }
}
