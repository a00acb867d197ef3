//! One packet of a conversation, as the engine needs it.

use super::protocol::{Look, Over};
use crate::packet::{Addr, Packet, Transport};
use crate::tick::FlowKey;

/// One packet of a conversation, as the engine needs it.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub key: FlowKey,
    pub dir: usize,
    pub over: Over,
    pub seq: Option<u32>,
    pub payload: &'a [u8],
    /// Bytes of the payload that the mirror cut off.
    pub missing: u32,
}

/// The two ends of a conversation.
pub(super) fn ends(key: &FlowKey) -> [(Addr, u16); 2] {
    [(key.src, key.sport), (key.dst, key.dport)]
}

/// The conversation's key and which of its directions this one is: 0 goes from the smaller end to the larger.
pub(super) fn canonical(key: &FlowKey) -> (FlowKey, usize) {
    if (key.src, key.sport) <= (key.dst, key.dport) {
        return (*key, 0);
    }
    (FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..*key }, 1)
}

pub(super) fn over_of(packet: &Packet<'_>) -> Over {
    match &packet.transport {
        Transport::Tcp(_) => Over::TCP,
        Transport::Udp(..) => Over::UDP,
        Transport::Sctp(..) => Over::SCTP,
        _ => Over::IP,
    }
}

/// The latest of datagrams that stand behind their lengths.
pub(super) fn last_datagram(framed: &[u8]) -> &[u8] {
    let mut rest = framed;
    let mut last: &[u8] = &[];
    while let Some((len, tail)) = rest.split_first_chunk::<2>() {
        let Some((one, after)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len))) else { break };
        (last, rest) = (one, after);
    }
    last
}

/// What a probe sees of it, before anything that was kept is added.
pub(super) fn bare<'a>(turn: &Turn<'a>) -> Look<'a> {
    let key = &turn.key;
    let forward = turn.dir == 0;
    let ((src, sport), (dst, dport)) = if forward {
        ((key.src, key.sport), (key.dst, key.dport))
    } else {
        ((key.dst, key.dport), (key.src, key.sport))
    };
    Look {
        over: turn.over,
        protocol: key.protocol,
        src,
        dst,
        sport,
        dport,
        here: &[],
        there: &[],
        from_start: false,
        initiator: None,
        earlier: &[],
        whole: turn.missing == 0,
        packets: 0,
    }
}
