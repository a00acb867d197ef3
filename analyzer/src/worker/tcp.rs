//! One direction of a TCP connection: repeats, zero windows, round trips (RFC 9293).

use super::rdma::{NO_LINK, Sight};
use crate::packet::{Packet, Tcp};

const SYN: u8 = 2;
const FIN: u8 = 1;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A repeat of the same segment with the same IP identification within this time is a copy by a mirror.
const COPY_WITHIN_NS: u64 = 50_000_000;

/// Segments remembered to know copies.
const RECENT: usize = 8;

/// A segment as it was first seen.
#[derive(Clone, Copy, Debug)]
struct Recent {
    seq: u32,
    ack: u32,
    at_ns: u64,
    ip_id: u16,
    links: [u16; 2],
}

impl Default for Recent {
    fn default() -> Self {
        Self { seq: 0, ack: 0, at_ns: 0, ip_id: 0, links: [NO_LINK; 2] }
    }
}

/// State of one direction.
#[derive(Debug, Default)]
pub(super) struct TcpState {
    next_seq: Option<u32>,
    recent: [Recent; RECENT],
    recent_at: usize,
    zero_window: bool,
    /// Sequence number that acknowledges the timed segment, and when that was sent.
    timed: Option<(u32, u64)>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub copy: bool,
    /// A copy on a link that showed it already.
    pub doubled: bool,
    pub repeat: bool,
    pub zero_window: bool,
}

impl TcpState {
    /// Takes a segment of this direction.
    pub fn take(&mut self, tcp: &Tcp, packet: &Packet<'_>, sight: &Sight) -> Segment {
        let length = packet.payload_len + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
        if sight.ip_id != 0
            && let Some(doubled) = self.copied(tcp, sight)
        {
            return Segment { copy: true, doubled, ..Segment::default() };
        }
        let zero = tcp.window == 0 && tcp.flags & (RST | SYN | FIN) == 0;
        let zero_window = zero && !std::mem::replace(&mut self.zero_window, zero);
        if length == 0 {
            return Segment { zero_window, ..Segment::default() };
        }
        let end = tcp.seq.wrapping_add(length);
        let repeat = self.next_seq.is_some_and(|next| (end.wrapping_sub(next) as i32) <= 0);
        if !repeat {
            self.next_seq = Some(end);
            self.timed.get_or_insert((end, sight.at_ns));
        } else {
            self.timed = None;
        }
        Segment { repeat, zero_window, ..Segment::default() }
    }

    /// Seen before at another place (then false), or doubled on the link that showed it (then true).
    fn copied(&mut self, tcp: &Tcp, sight: &Sight) -> Option<bool> {
        let same = |r: &&mut Recent| {
            (r.seq, r.ack, r.ip_id) == (tcp.seq, tcp.ack, sight.ip_id)
                && sight.at_ns.saturating_sub(r.at_ns) < COPY_WITHIN_NS
        };
        if let Some(first) = self.recent.iter_mut().find(same) {
            let doubled = first.links.contains(&sight.link);
            first.links[1] = sight.link;
            return Some(doubled);
        }
        let at = self.recent_at % RECENT;
        if let Some(slot) = self.recent.get_mut(at) {
            let links = [sight.link; 2];
            *slot = Recent { seq: tcp.seq, ack: tcp.ack, at_ns: sight.at_ns, ip_id: sight.ip_id, links };
        }
        self.recent_at = at + 1;
        None
    }

    /// The other direction acknowledges up to `ack`; gives a round trip when the timed segment is covered.
    pub fn acknowledged(&mut self, tcp: &Tcp, at_ns: u64) -> Option<u64> {
        let (end, sent) = self.timed?;
        if tcp.flags & ACK == 0 || (tcp.ack.wrapping_sub(end) as i32) < 0 {
            return None;
        }
        self.timed = None;
        Some(at_ns.saturating_sub(sent))
    }
}
