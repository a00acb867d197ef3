//! What a protocol is to the engine: names, a probe, and what the probe sees and may say.

use super::facts::Facts;
use crate::packet::Addr;

/// A protocol's name as the report spells it.
pub type Name = &'static str;

/// What carries a protocol, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over(pub u8);

impl Over {
    /// TCP.
    pub const TCP: Self = Self(1);
    /// UDP.
    pub const UDP: Self = Self(2);
    /// TCP and UDP.
    pub const BOTH: Self = Self(3);
    /// SCTP.
    pub const SCTP: Self = Self(4);
    /// TCP and SCTP.
    pub const TCP_SCTP: Self = Self(5);
    /// Straight over IP.
    pub const IP: Self = Self(8);
    /// Straight over Ethernet or LLC: frames between neighbours. Both ports hold the Ethertype, the protocol of a SNAP header with
    /// an organisation of its own, or the LLC service access point.
    pub const LINK: Self = Self(16);

    /// Whether the sets touch.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where a protocol stands in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// RDMA and what carries it.
    Fabric,
    /// Training, MPI, schedulers, launchers.
    Training,
    /// Block, file and object storage.
    Storage,
    /// Web, remote calls.
    Rpc,
    /// Message queues.
    Queue,
    /// Databases and key-value stores.
    Database,
    /// Encryption, tunnels and proxies.
    Secure,
    /// Names, time, addresses, directories.
    Infrastructure,
    /// Telemetry and management.
    Management,
    /// Routing and link control.
    Routing,
    /// Mail, file transfer, terminals.
    Terminal,
    /// Voice and video.
    Media,
    /// Industry and buildings.
    Industry,
    /// What leaks in from the internet.
    Internet,
}

/// One protocol or a small family that one probe tells apart.
#[derive(Debug)]
pub struct Protocol {
    /// Its name, and the name its port may suggest.
    pub name: Name,
    /// Further names that the probe may give.
    pub also: &'static [Name],
    /// For people.
    pub title: &'static str,
    /// Chapter of the documents.
    pub group: Group,
    /// What it runs over.
    pub over: Over,
    /// Ports registered for it or used by habit: a hint, never a proof.
    pub ports: &'static [u16],
    /// The specification that the probe was written from.
    pub source: &'static str,
    /// Looks at a payload.
    pub probe: fn(&Look<'_>, &mut Facts) -> Answer,
    /// Which datagrams it may say anything of.
    pub datagrams: Datagrams,
}

/// What a datagram must be like for a probe to say anything but no: the engine does not ask it of others.
#[derive(Clone, Copy, Debug)]
pub struct Datagrams {
    /// Shortest, in bytes.
    pub least: usize,
    /// Ranges of the first byte, both ends included.
    pub first: &'static [(u8, u8)],
}

/// Any first byte.
pub const ANY: &[(u8, u8)] = &[(0, 0xff)];

impl Datagrams {
    /// Every datagram.
    pub const ALL: Self = Self { least: 1, first: ANY };
}

impl Protocol {
    /// One name, one probe.
    pub const fn new(
        name: Name,
        title: &'static str,
        group: Group,
        over: Over,
        ports: &'static [u16],
        source: &'static str,
        probe: fn(&Look<'_>, &mut Facts) -> Answer,
    ) -> Self {
        Self { name, also: &[], title, group, over, ports, source, probe, datagrams: Datagrams::ALL }
    }

    /// Over UDP it is asked only of datagrams of at least so many bytes whose first byte is in one of these ranges: of others the
    /// probe says [`Answer::NotForUs`], which a test holds it to.
    pub const fn datagrams(mut self, least: usize, first: &'static [(u8, u8)]) -> Self {
        self.datagrams = Datagrams { least, first };
        self
    }

    /// With further names that the probe may give.
    pub const fn also(mut self, names: &'static [Name]) -> Self {
        self.also = names;
        self
    }
}

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// It is this; nothing more to learn. Confidence 0..1: below [`WEAK`] it must be seen twice or at a port of the protocol.
    Certain(Name, f32),
    /// It is this; more bytes may make the name more specific or add facts.
    SoFar(Name, f32),
    /// Nothing speaks against it yet; more bytes will tell.
    Unsure,
    /// Something else.
    NotForUs,
    /// This was a prologue (CONNECT, STARTTLS, PROXY): another protocol begins after so many bytes of either direction.
    Inside {
        /// Bytes of this direction to skip.
        here: usize,
        /// Bytes of the other direction to skip.
        there: usize,
        /// The name of what carries it.
        name: Name,
        /// That name stays, and what is inside becomes a fact; else what is inside names the conversation.
        stays: bool,
    },
}

/// Below this confidence one message alone is no proof.
pub const WEAK: f32 = 0.8;

/// What a probe sees.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Carrier of this conversation.
    pub over: Over,
    /// IP protocol number.
    pub protocol: u8,
    /// Sender of this packet.
    pub src: Addr,
    /// Receiver.
    pub dst: Addr,
    /// Sender's port.
    pub sport: u16,
    /// Receiver's port.
    pub dport: u16,
    /// TCP: this direction's bytes in order, from its first or (mid-stream) from a segment's first byte; else this datagram.
    pub here: &'a [u8],
    /// TCP: the other direction's bytes likewise; else its latest datagram (its first bytes).
    pub there: &'a [u8],
    /// TCP: `here` begins with the connection's first byte. Datagrams: the first one of this direction.
    pub from_start: bool,
    /// This direction opened the connection (SYN seen), or not (SYN-ACK seen).
    pub initiator: Option<bool>,
    /// Datagrams of this direction before this one, each behind its length in two bytes.
    pub earlier: &'a [u8],
    /// Captured to its end: `false` where the mirror cut the packet.
    pub whole: bool,
    /// Payload packets of this direction so far, this one included.
    pub packets: u16,
}

impl<'a> Look<'a> {
    /// One of the two ports is this one.
    pub fn port(&self, port: u16) -> bool {
        self.sport == port || self.dport == port
    }

    /// One of the two ports is one of these.
    pub fn ports_of(&self, ports: &[u16]) -> bool {
        ports.contains(&self.sport) || ports.contains(&self.dport)
    }

    /// Over TCP.
    pub fn tcp(&self) -> bool {
        self.over == Over::TCP
    }

    /// Over UDP.
    pub fn udp(&self) -> bool {
        self.over == Over::UDP
    }

    /// Earlier datagrams of this direction, oldest first.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.earlier;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<2>()?;
            let len = usize::from(u16::from_be_bytes(*head));
            let (one, after) = tail.split_at_checked(len)?;
            rest = after;
            Some(one)
        })
    }

    /// The latest earlier datagram of this direction.
    pub fn previous(&self) -> Option<&'a [u8]> {
        self.datagrams().last()
    }

    /// A message that claims to be `len` bytes long: does the payload agree (equal, or longer and only cut or to be continued)?
    pub fn fits(&self, len: usize) -> bool {
        match self.over {
            Over::TCP => len >= 1,
            _ => len == self.here.len() || !self.whole && len > self.here.len(),
        }
    }
}

#[cfg(test)]
impl<'a> Look<'a> {
    /// A look for tests: bytes of one direction from the start.
    pub fn of(over: Over, sport: u16, dport: u16, here: &'a [u8]) -> Self {
        Self {
            over,
            protocol: if over == Over::TCP { 6 } else { 17 },
            src: Addr::v4([10, 0, 0, 1]),
            dst: Addr::v4([10, 0, 0, 2]),
            sport,
            dport,
            here,
            there: &[],
            from_start: true,
            initiator: None,
            earlier: &[],
            whole: true,
            packets: 1,
        }
    }
}
