//! One decoded packet: the innermost frame of interest, with the mirror's envelope taken off and kept beside it.
//!
//! Everything borrows from the frame; nothing is copied but header fields.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An endpoint address in 16 bytes: IPv6, IPv4 as `::ffff:a.b.c.d`, and under the discard-only prefix 100::/64 (RFC 6666),
/// which no packet can carry as its address, InfiniBand LIDs and MAC addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Addr(pub [u8; 16]);

const DISCARD: [u8; 8] = [0x01, 0, 0, 0, 0, 0, 0, 0];

impl Addr {
    /// IPv4-mapped.
    pub fn v4(b: [u8; 4]) -> Self {
        Self((0xffff_u128 << 32 | u128::from(u32::from_be_bytes(b))).to_be_bytes())
    }

    /// An InfiniBand local identifier (IBTA vol 1, 4.1.3), for native packets without a global route header.
    pub fn lid(lid: u16) -> Self {
        let [h, l] = lid.to_be_bytes();
        Self([DISCARD[0], 0, 0, 0, 0, 0, 0, 0, b'L', 0, 0, 0, 0, 0, h, l])
    }

    /// A MAC address, for packets without a network layer.
    pub fn mac(m: [u8; 6]) -> Self {
        Self([DISCARD[0], 0, 0, 0, 0, 0, 0, 0, b'M', 0, m[0], m[1], m[2], m[3], m[4], m[5]])
    }

    /// Multicast or broadcast, at whichever layer the address is of.
    pub fn is_multicast(self) -> bool {
        let b = self.0;
        if b[..8] == DISCARD && b[8] == b'M' {
            return b[10] & 1 == 1;
        }
        match Ipv6Addr::from(b).to_ipv4_mapped() {
            Some(v4) => v4.is_multicast() || v4.is_broadcast(),
            None => b[0] == 0xff,
        }
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(a: Ipv4Addr) -> Self {
        Self::v4(a.octets())
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(a: Ipv6Addr) -> Self {
        Self(a.octets())
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        if b[..8] == DISCARD && b[8] == b'L' {
            return write!(f, "lid {}", u16::from_be_bytes([b[14], b[15]]));
        }
        if b[..8] == DISCARD && b[8] == b'M' {
            let [.., m0, m1, m2, m3, m4, m5] = b;
            return write!(f, "{m0:02x}:{m1:02x}:{m2:02x}:{m3:02x}:{m4:02x}:{m5:02x}");
        }
        let v6 = Ipv6Addr::from(b);
        match v6.to_ipv4_mapped() {
            Some(v4) => v4.fmt(f),
            None => v6.fmt(f),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What kind of envelope a mirror put around the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum MirrorKind {
    /// None: SPAN to the capture port, or a tap.
    #[default]
    Plain,
    /// An extra 802.1Q tag (RSPAN).
    Rspan,
    /// GRE 0x88BE without sequence.
    Erspan1,
    /// GRE 0x88BE with sequence and the 8-byte header.
    Erspan2,
    /// GRE 0x22EB.
    Erspan3,
    /// Ethernet in GRE (0x6558) or a vendor's GRE protocol that carried a frame.
    Gretap,
    /// VXLAN whose inner frame is taken as mirrored.
    Vxlan,
    /// Geneve, likewise.
    Geneve,
}

impl MirrorKind {
    /// As reports and identifiers of links spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Rspan => "rspan",
            Self::Erspan1 => "erspan1",
            Self::Erspan2 => "erspan2",
            Self::Erspan3 => "erspan3",
            Self::Gretap => "gretap",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
        }
    }
}

/// Which port's mirror a copy came through: everything the envelope says. Two copies with the same key come from the same mirrored port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct MirrorKey {
    /// The envelope.
    pub kind: MirrorKind,
    /// RSPAN: the VLAN id of the extra tag.
    pub vlan: Option<u16>,
    /// ERSPAN session id (10 bits), or the GRE key, or the VNI (24 bits), by `kind`.
    pub session: Option<u32>,
    /// ERSPAN type II index, or type III port / source index, where present.
    pub port: Option<u32>,
    /// Outer source address of a routed envelope: the mirroring switch.
    pub source: Option<Addr>,
}

/// The mirror's envelope: identity, and what it tells of the copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// Identity.
    pub key: MirrorKey,
    /// ERSPAN III direction bit: `Some(true)` egress copy, `Some(false)` ingress copy.
    pub egress: Option<bool>,
    /// GRE sequence number, counted per (source, session): gaps are losses of the MIRROR.
    pub sequence: Option<u32>,
    /// The switch says that it cut the copy (ERSPAN T bit).
    pub truncated: bool,
    /// ERSPAN III BSO: 0 good, 1 short, 2 oversize, 3 CRC or alignment error.
    pub bso: u8,
    /// Switch hardware time of the copy, in ns within its own epoch, where given.
    pub hardware_ns: Option<u64>,
}

impl Mirror {
    /// No envelope.
    pub const NONE: Self = Self {
        key: MirrorKey { kind: MirrorKind::Plain, vlan: None, session: None, port: None, source: None },
        egress: None,
        sequence: None,
        truncated: false,
        bso: 0,
        hardware_ns: None,
    };
}

/// IP header fields that matter beyond addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ip {
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
    /// ECN field: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
    pub ecn: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification; 0 for IPv6.
    pub id: u16,
    /// Protocol of the payload (after extension headers).
    pub protocol: u8,
    /// A fragment that is not the first: no transport header in it.
    pub later_fragment: bool,
}

/// TCP header fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
    /// Window as on the wire, unscaled.
    pub window: u16,
}

/// RDMA extension header fields: the union of what RETH, AETH, DETH, AtomicETH, ImmDt and IETH carry (IBTA vol 1, 9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eth {
    /// RETH DMA length in bytes (write first/only, read request).
    pub dma_len: Option<u32>,
    /// AETH syndrome.
    pub syndrome: Option<u8>,
    /// AETH message sequence number, 24 bits.
    pub msn: u32,
    /// DETH source queue pair (UD).
    pub src_qp: Option<u32>,
}

/// Which of the RDMA families carried the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RdmaCarrier {
    /// UDP, port 4791 first of all.
    #[default]
    RoceV2,
    /// Ethertype 0x8915 with a global route header.
    RoceV1,
    /// Native InfiniBand (DLT 247, ERF).
    Infiniband,
}

/// InfiniBand base transport header (IBTA vol 1, 9.2) and its extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bth {
    /// Carrier.
    pub carrier: RdmaCarrier,
    /// Opcode, transport in the high 3 bits; 0x81 is CNP.
    pub opcode: u8,
    /// Solicited event.
    pub solicited: bool,
    /// Pad count, 0..3 bytes.
    pub pad: u8,
    /// Partition key.
    pub pkey: u16,
    /// FECN and BECN bits.
    pub fecn: bool,
    /// Backward notification (set in CNP).
    pub becn: bool,
    /// Destination queue pair, 24 bits.
    pub dst_qp: u32,
    /// Acknowledge requested.
    pub ack_req: bool,
    /// Packet sequence number, 24 bits.
    pub psn: u32,
    /// Extension headers; absent fields also when the frame was cut before them.
    pub eth: Eth,
    /// UDP ports (RoCEv2); 0 otherwise.
    pub sport: u16,
    /// UDP destination port.
    pub dport: u16,
}

/// Priority flow control or 802.3x pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// Per priority class enabled: quanta of 512 bit times; 802.3x PAUSE fills all eight classes.
    pub quanta: [Option<u16>; 8],
    /// 802.3x global PAUSE rather than PFC.
    pub global: bool,
}

/// What the packet carries above the network layer, or instead of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP that is not RoCE: source port, destination port.
    Udp(u16, u16),
    /// RoCEv1, RoCEv2, native InfiniBand.
    Rdma(Bth),
    /// ICMP or ICMPv6: type, code.
    Icmp(u8, u8),
    /// SCTP: source port, destination port.
    Sctp(u16, u16),
    /// ARP: operation (1 request, 2 reply); sender address is `src`, target `dst`.
    Arp(u16),
    /// LLDP; the TLVs are the payload.
    Lldp,
    /// LACP; the PDU is the payload.
    Lacp,
    /// PFC or PAUSE.
    Pause(Pause),
    /// Any other IP protocol; its number is in `ip`.
    OtherIp,
    /// Any other ethertype (or LLC length below 0x600); it is in `ethertype`.
    OtherEthernet,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The mirror's envelope.
    pub mirror: Mirror,
    /// Source MAC of the inner frame; absent without Ethernet.
    pub src_mac: Option<[u8; 6]>,
    /// Destination MAC of the inner frame.
    pub dst_mac: Option<[u8; 6]>,
    /// Outermost VLAN id of the captured frame, if it is tagged: an RSPAN tag is learned from this.
    pub outer_vlan: Option<u16>,
    /// Innermost VLAN id of the inner frame, the RSPAN tag not counted.
    pub vlan: Option<u16>,
    /// Priority code point of that tag.
    pub pcp: u8,
    /// Ethertype after tags; 0 where there is none.
    pub ethertype: u16,
    /// Source: IP, or LID, or MAC.
    pub src: Addr,
    /// Destination.
    pub dst: Addr,
    /// IP fields, if there is IP.
    pub ip: Option<Ip>,
    /// Transport.
    pub transport: Transport,
    /// Transport payload as far as captured, without padding beyond the IP length. For RDMA: after the last extension header,
    /// without pad and ICRC where those are captured.
    pub payload: &'a [u8],
    /// Payload length by the headers in bytes, whether captured or not.
    pub payload_len: u32,
    /// From the network header (IP; GRH/LRH for native InfiniBand and RoCEv1) to the end of what was captured of it: what ICRC covers.
    pub network: &'a [u8],
    /// Length on the wire in bytes of the inner frame, without the mirror's envelope and without FCS.
    pub wire_len: u32,
    /// The frame as a switch or mirror sent it was shorter than its IP header says; `wire_len` is then what the header says.
    pub shortened: bool,
    /// Everything the headers claim was captured.
    pub whole: bool,
}

impl Packet<'_> {
    /// Nothing read yet.
    pub const UNREAD: Self = Self {
        mirror: Mirror::NONE,
        src_mac: None,
        dst_mac: None,
        outer_vlan: None,
        vlan: None,
        pcp: 0,
        ethertype: 0,
        src: Addr([0; 16]),
        dst: Addr([0; 16]),
        ip: None,
        transport: Transport::OtherEthernet,
        payload: &[],
        payload_len: 0,
        network: &[],
        wire_len: 0,
        shortened: false,
        whole: false,
    };
}
