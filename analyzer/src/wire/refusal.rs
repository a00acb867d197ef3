//! Why a frame could not be read.

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a frame could not be read: each is counted by its name, so nothing is skipped unseen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Refusal { $($(#[$doc])* $variant,)* }

        impl Refusal {
            /// How many there are.
            pub const COUNT: usize = [$(Self::$variant),*].len();
            /// Every refusal, in the order of [`Refusal::index`].
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),*];

            /// Name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

refusals! {
    /// The capture's link type is not read.
    LinkTypeUnsupported = "linktype-unsupported",
    /// A frame shorter than an Ethernet header.
    EthernetTooShort = "ethernet-too-short",
    /// The capture ends within the Ethernet header (of the mirrored frame, under an envelope).
    EthernetCut = "ethernet-cut",
    /// A VLAN or other tag does not fit into the frame.
    TagTooShort = "tag-too-short",
    /// The capture ends within a tag.
    TagCut = "tag-cut",
    /// More tags one after another than are followed.
    TagsNested = "tags-nested",
    /// More tunnels one in another than are followed.
    TunnelsNested = "tunnels-nested",
    /// A cooked, loopback or ERF header does not fit into the record.
    LinkHeaderTooShort = "link-header-too-short",
    /// The capture ends within a cooked, loopback or ERF header.
    LinkHeaderCut = "link-header-cut",
    /// BSD loopback with an address family that is not IP.
    LoopbackFamily = "loopback-family",
    /// ERF record of a type that is not read.
    ErfType = "erf-type",
    /// Raw IP of neither version 4 nor 6.
    IpVersion = "ip-version",
    /// The MPLS label stack does not end.
    MplsStack = "mpls-stack",
    /// The capture ends within the MPLS label stack.
    MplsCut = "mpls-cut",
    /// ARP shorter than its addresses.
    ArpTooShort = "arp-too-short",
    /// The capture ends within ARP.
    ArpCut = "arp-cut",
    /// PFC or PAUSE without its quanta.
    PauseTooShort = "pause-too-short",
    /// The capture ends within the quanta of PFC or PAUSE.
    PauseCut = "pause-cut",
    /// Shorter than an IPv4 header.
    Ipv4TooShort = "ipv4-too-short",
    /// The capture ends within the IPv4 header.
    Ipv4Cut = "ipv4-cut",
    /// Ethertype IPv4, version not 4.
    Ipv4Version = "ipv4-version",
    /// IPv4 header length below 20 bytes or beyond the packet.
    Ipv4HeaderLength = "ipv4-header-length",
    /// IPv4 total length below the header length.
    Ipv4TotalLength = "ipv4-total-length",
    /// Shorter than an IPv6 header.
    Ipv6TooShort = "ipv6-too-short",
    /// The capture ends within the IPv6 header.
    Ipv6Cut = "ipv6-cut",
    /// Ethertype IPv6, version not 6.
    Ipv6Version = "ipv6-version",
    /// An IPv6 extension (or authentication) header does not fit into the packet.
    Ipv6ExtensionTooShort = "ipv6-extension-too-short",
    /// The capture ends within the IPv6 extension (or authentication) headers.
    Ipv6ExtensionCut = "ipv6-extension-cut",
    /// More IPv6 extension headers than are followed.
    Ipv6ExtensionChain = "ipv6-extension-chain",
    /// Shorter than a TCP header.
    TcpTooShort = "tcp-too-short",
    /// The capture ends within the TCP header, before the flags.
    TcpCut = "tcp-cut",
    /// TCP data offset below 20 bytes or beyond the packet.
    TcpHeaderLength = "tcp-header-length",
    /// Shorter than a UDP header.
    UdpTooShort = "udp-too-short",
    /// The capture ends within the UDP header.
    UdpCut = "udp-cut",
    /// UDP length below 8.
    UdpLength = "udp-length",
    /// Shorter than an ICMP header.
    IcmpTooShort = "icmp-too-short",
    /// The capture ends within the ICMP header.
    IcmpCut = "icmp-cut",
    /// Shorter than an SCTP header.
    SctpTooShort = "sctp-too-short",
    /// The capture ends before the SCTP ports.
    SctpCut = "sctp-cut",
    /// GRE shorter than its flags say.
    GreTooShort = "gre-too-short",
    /// The capture ends within the GRE header.
    GreCut = "gre-cut",
    /// ERSPAN shorter than its header.
    ErspanTooShort = "erspan-too-short",
    /// The capture ends within the ERSPAN header.
    ErspanCut = "erspan-cut",
    /// A packet to an RDMA port, too short for a base transport header by its own IP or UDP length.
    RdmaTooShort = "rdma-too-short",
    /// The capture ends within the base transport header.
    RdmaHeaderCut = "rdma-header-cut",
    /// A global route header that does not fit, or not of version 6.
    GrhInvalid = "grh-invalid",
    /// The capture ends within the global route header.
    GrhCut = "grh-cut",
    /// A global route header whose payload is not a base transport header.
    GrhNextHeader = "grh-next-header",
    /// Native InfiniBand shorter than a local route header, or a length in it that is.
    LrhInvalid = "lrh-invalid",
    /// The capture ends within the local route header.
    LrhCut = "lrh-cut",
    /// Native InfiniBand that carries no base transport header (raw packets).
    LrhNextHeader = "lrh-next-header",
}

impl Refusal {
    /// Place in [`Refusal::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
