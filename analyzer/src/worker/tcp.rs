//! One direction of a TCP connection: repeats, zero windows, round trips (RFC 9293).

use crate::packet::{Packet, Tcp};

const SYN: u8 = 2;
const FIN: u8 = 1;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A repeat of the same segment with the same IP identification within this time is a copy by a mirror.
const COPY_WITHIN_NS: u64 = 50_000_000;

/// State of one direction.
#[derive(Debug, Default)]
pub(super) struct TcpState {
    next_seq: Option<u32>,
    recent: [(u32, u16, u64); 8],
    recent_at: usize,
    zero_window: bool,
    /// Sequence number that acknowledges the timed segment, and when that was sent.
    timed: Option<(u32, u64)>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub copy: bool,
    pub repeat: bool,
    pub zero_window: bool,
}

impl TcpState {
    /// Takes a segment of this direction.
    pub fn take(&mut self, tcp: &Tcp, packet: &Packet<'_>, at_ns: u64) -> Segment {
        let length = packet.payload_len + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
        let zero = tcp.window == 0 && tcp.flags & (RST | SYN | FIN) == 0;
        let zero_window = zero && !std::mem::replace(&mut self.zero_window, zero);
        if length == 0 {
            return Segment { zero_window, ..Segment::default() };
        }
        let ip_id = packet.ip.map_or(0, |ip| ip.id);
        if ip_id != 0 && self.copied(tcp.seq, ip_id, at_ns) {
            return Segment { copy: true, ..Segment::default() };
        }
        let end = tcp.seq.wrapping_add(length);
        let repeat = self.next_seq.is_some_and(|next| (end.wrapping_sub(next) as i32) <= 0);
        if !repeat {
            self.next_seq = Some(end);
            self.timed.get_or_insert((end, at_ns));
        } else {
            self.timed = None;
        }
        Segment { copy: false, repeat, zero_window }
    }

    fn copied(&mut self, seq: u32, ip_id: u16, at_ns: u64) -> bool {
        let same =
            |&(s, id, at): &(u32, u16, u64)| s == seq && id == ip_id && at_ns.saturating_sub(at) < COPY_WITHIN_NS;
        if self.recent.iter().any(same) {
            return true;
        }
        let at = self.recent_at % self.recent.len();
        if let Some(slot) = self.recent.get_mut(at) {
            *slot = (seq, ip_id, at_ns);
        }
        self.recent_at = at + 1;
        false
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
