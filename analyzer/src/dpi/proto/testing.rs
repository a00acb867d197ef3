//! Conversations for the tests of protocols: bytes in, label out, through the whole engine.

use crate::dpi::Seen;
use crate::dpi::inspector::{Inspector, Label};
use crate::dpi::protocol::{Name, Over};
use crate::packet::{Addr, Ip, Mirror, Packet, Tcp, Transport};
use crate::tick::FlowKey;

const CLIENT: Addr = Addr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
const SERVER: Addr = Addr([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2]);

/// An address of the test's client or server.
fn addr(client: bool) -> Addr {
    if client { CLIENT } else { SERVER }
}

/// A datagram from the client.
pub fn datagram(sport: u16, dport: u16, payload: &[u8]) -> Packet<'_> {
    packet(true, 17, Transport::Udp(sport, dport), payload)
}

fn packet(client: bool, protocol: u8, transport: Transport, payload: &[u8]) -> Packet<'_> {
    Packet {
        mirror: Mirror::default(),
        src_mac: None,
        dst_mac: None,
        outer_vlan: None,
        vlan: None,
        pcp: 0,
        ethertype: 0x0800,
        src: addr(client),
        dst: addr(!client),
        ip: Some(Ip { protocol, ..Ip::default() }),
        transport,
        payload,
        payload_len: payload.len() as u32,
        network: &[],
        shortened: false,
        wire_len: payload.len() as u32 + 54,
        whole: true,
    }
}

/// Feeds one packet.
pub struct Talk {
    engine: Inspector,
    over: Over,
    ports: [u16; 2],
    seqs: [u32; 2],
    seen: [Seen; 2],
    /// The latest label.
    pub label: Label,
}

impl Talk {
    /// A conversation between a client's and a server's port.
    pub fn new(over: Over, cport: u16, sport: u16) -> Self {
        Self::with(Inspector::default(), over, cport, sport)
    }

    /// The same before an engine of the test's own.
    pub fn with(engine: Inspector, over: Over, cport: u16, sport: u16) -> Self {
        let label = Label { named: None, host_name: None, attrs: None, closed: false };
        Self { engine, over, ports: [cport, sport], seqs: [1000, u32::MAX - 20], seen: [Seen::default(); 2], label }
    }

    /// The handshake.
    pub fn shake(&mut self) {
        if self.over == Over::TCP {
            self.packet(true, 2, &[]);
            self.packet(false, 0x12, &[]);
            self.seqs = self.seqs.map(|s| s.wrapping_add(1));
        }
    }

    /// One packet with payload.
    pub fn say(&mut self, client: bool, payload: &[u8]) {
        self.packet(client, 0x18, payload);
        let seq = &mut self.seqs[usize::from(!client)];
        *seq = seq.wrapping_add(payload.len() as u32);
    }

    fn packet(&mut self, client: bool, flags: u8, payload: &[u8]) {
        if self.label.closed {
            return;
        }
        let [c, s] = self.ports;
        let (sport, dport) = if client { (c, s) } else { (s, c) };
        let seq = self.seqs[usize::from(!client)];
        let ack = self.seqs[usize::from(client)].wrapping_add(1);
        let (protocol, transport) = match self.over {
            Over::TCP => (6, Transport::Tcp(Tcp { sport, dport, seq, ack, flags, window: 1000 })),
            Over::SCTP => (132, Transport::Sctp(sport, dport)),
            _ => (17, Transport::Udp(sport, dport)),
        };
        let packet = packet(client, protocol, transport, payload);
        let key = FlowKey { src: packet.src, dst: packet.dst, sport, dport, protocol, dst_qp: None };
        let [own, other] = [usize::from(!client), usize::from(client)];
        let (mut seen, mut there) = (self.seen[own], self.seen[other]);
        if let Some(label) = self.engine.observe(&key, &packet, &mut seen, Some(&mut there)) {
            self.label = label;
        }
        (self.seen[own], self.seen[other]) = (seen, there);
    }
}

/// A conversation from its start: who speaks (`true`: the client) and what. Gives the label at its end.
pub fn feed(over: Over, cport: u16, sport: u16, turns: &[(bool, &[u8])]) -> Label {
    let mut talk = Talk::new(over, cport, sport);
    talk.shake();
    turns.iter().for_each(|(client, payload)| talk.say(*client, payload));
    talk.label
}

/// The same, joined in the middle: no handshake was seen.
pub fn feed_mid(over: Over, cport: u16, sport: u16, turns: &[(bool, &[u8])]) -> Label {
    let mut talk = Talk::new(over, cport, sport);
    turns.iter().for_each(|(client, payload)| talk.say(*client, payload));
    talk.label
}

/// The name that one client's payload alone gives.
pub fn named(over: Over, cport: u16, sport: u16, payload: &[u8]) -> Option<Name> {
    feed(over, cport, sport, &[(true, payload)]).named.map(|n| n.name)
}
