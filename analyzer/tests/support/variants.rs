//! The same conversations as a less friendly mirror would show them: other ports, one side only, joined in the middle,
//! cut, split and out of order.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::HashMap;

use analyzer::packet::{Packet, Transport};

use super::labelled::{Ends, ends, key};

/// A packet of a conversation: whose it is stays known whatever its ports become.
pub type Of<'a> = (usize, Packet<'a>);

/// What a variant does to the packets of a capture.
pub type Variant = for<'a> fn(&[Of<'a>]) -> Vec<Of<'a>>;

/// Ports under which something else is expected.
const MISLEADING: [u16; 16] = [22, 80, 443, 53, 445, 3306, 6379, 2049, 179, 9092, 1883, 5432, 4420, 514, 50051, 123];
/// Segments missing at the beginning of a connection that is joined in its middle.
const MISSED: usize = 6;

/// All variants by name.
pub const VARIANTS: [(&str, Variant); 11] = [
    ("whole", |all| all.to_vec()),
    ("odd ports", |all| map_ports(all, odd)),
    ("misleading ports", |all| map_ports(all, misleading)),
    ("client only", |all| one_side(all, true)),
    ("server only", |all| one_side(all, false)),
    ("joined in the middle", |all| middle(all, MISSED)),
    ("middle, odd ports", |all| map_ports(&middle(all, MISSED), odd)),
    ("middle, one side", |all| one_side(&middle(all, MISSED), true)),
    ("split segments", |all| split(all, 11)),
    ("disorder", disorder),
    ("cut to 96 bytes", |all| cut(all, 96)),
];

/// Gives each conversation a number.
pub fn by_conversation<'a>(packets: &[Packet<'a>]) -> (Vec<Of<'a>>, Vec<Ends>) {
    let mut numbers: HashMap<Ends, usize> = HashMap::new();
    let mut list = Vec::new();
    let of = packets
        .iter()
        .map(|p| {
            let ends = ends(&key(p));
            let number = *numbers.entry(ends).or_insert_with(|| {
                list.push(ends);
                list.len() - 1
            });
            (number, *p)
        })
        .collect();
    (of, list)
}

fn ports(packet: &Packet<'_>) -> [u16; 2] {
    let key = key(packet);
    [key.sport, key.dport]
}

fn with_ports<'a>(mut packet: Packet<'a>, [sport, dport]: [u16; 2]) -> Packet<'a> {
    match &mut packet.transport {
        Transport::Tcp(tcp) => (tcp.sport, tcp.dport) = (sport, dport),
        Transport::Udp(s, d) => (*s, *d) = (sport, dport),
        _ => {}
    }
    packet
}

/// `new` takes a port, whether it is the lower one of its conversation, and the conversation's number.
fn map_ports<'a>(all: &[Of<'a>], new: fn(u16, bool, usize) -> u16) -> Vec<Of<'a>> {
    let one = |(of, packet): &Of<'a>| {
        let [s, d] = ports(packet);
        (*of, with_ports(*packet, [new(s, s <= d, *of), new(d, d < s, *of)]))
    };
    all.iter().map(one).collect()
}

/// A port that means nothing, the same for each conversation's end.
fn odd(port: u16, lower: bool, of: usize) -> u16 {
    let spread = u32::from(port).wrapping_mul(2_654_435_761).wrapping_add(of as u32 * 7);
    30_000 + (spread % 14_000) as u16 * 2 + u16::from(lower)
}

/// The server's port becomes another service's.
fn misleading(port: u16, lower: bool, of: usize) -> u16 {
    if !lower {
        return odd(port, lower, of);
    }
    let at = of % MISLEADING.len();
    let taken = MISLEADING.get(at).filter(|p| **p != port);
    *taken.unwrap_or(&MISLEADING[(at + 1) % MISLEADING.len()])
}

/// The side that opened the conversation (the first packet's), or the other.
fn one_side<'a>(all: &[Of<'a>], client: bool) -> Vec<Of<'a>> {
    let mut opener = HashMap::new();
    let mut keep = |(of, packet): &&Of<'a>| {
        let key = key(packet);
        let answers = matches!(&packet.transport, Transport::Tcp(tcp) if tcp.flags & 0x12 == 0x12);
        let from = if answers { (key.dst, key.dport) } else { (key.src, key.sport) };
        (*opener.entry(*of).or_insert(from) == (key.src, key.sport)) == client
    };
    all.iter().filter(|p| keep(p)).copied().collect()
}

/// Each TCP conversation without its handshake and first segments.
fn middle<'a>(all: &[Of<'a>], missed: usize) -> Vec<Of<'a>> {
    let mut seen = HashMap::new();
    let mut keep = |(of, packet): &&Of<'a>| {
        let Transport::Tcp(tcp) = &packet.transport else { return true };
        let count = seen.entry(*of).or_insert(0_usize);
        *count += usize::from(!packet.payload.is_empty());
        tcp.flags & 2 == 0 && *count > missed
    };
    all.iter().filter(|p| keep(p)).copied().collect()
}

/// TCP segments of at most `size` bytes, while their conversation is young.
fn split<'a>(all: &[Of<'a>], size: usize) -> Vec<Of<'a>> {
    let mut parts = HashMap::new();
    let mut out = Vec::new();
    for (of, packet) in all {
        let young = parts.entry(*of).or_insert(0_usize);
        let Transport::Tcp(tcp) = &packet.transport else {
            out.push((*of, *packet));
            continue;
        };
        if packet.payload.is_empty() || *young > 40 {
            out.push((*of, *packet));
            continue;
        }
        for (index, piece) in packet.payload.chunks(if *young < 4 { size } else { 1460 }).enumerate() {
            *young += 1;
            let seq = tcp.seq.wrapping_add((index * size) as u32);
            let transport = Transport::Tcp(analyzer::packet::Tcp { seq, ..*tcp });
            out.push((*of, Packet { payload: piece, payload_len: piece.len() as u32, transport, ..*packet }));
        }
    }
    out
}

/// Two neighbouring segments of one direction change places, again and again.
fn disorder<'a>(all: &[Of<'a>]) -> Vec<Of<'a>> {
    let mut out = split(all, 64);
    let data = |p: &Packet<'_>| matches!(p.transport, Transport::Tcp(_)) && !p.payload.is_empty();
    let mut at = 0;
    while at + 1 < out.len() {
        let ((a, first), (b, second)) = (out[at], out[at + 1]);
        if a == b && key(&first) == key(&second) && data(&first) && data(&second) {
            out.swap(at, at + 1);
            at += 1;
        }
        at += 1;
    }
    out
}

/// The mirror cuts packets: of each only the first bytes of payload are there.
fn cut<'a>(all: &[Of<'a>], frame: usize) -> Vec<Of<'a>> {
    let one = |(of, packet): &Of<'a>| {
        let headers = if matches!(packet.transport, Transport::Tcp(_)) { 54 } else { 42 };
        let left = packet.payload.len().min(frame - headers);
        (*of, Packet { payload: &packet.payload[..left], whole: false, ..*packet })
    };
    all.iter().map(one).collect()
}
