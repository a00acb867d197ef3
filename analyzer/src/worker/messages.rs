//! RDMA messages as events: when each began and ended at the tap, how large it was, whether it had to be repeated
//! (IBTA vol 1, 9.4 and 9.7.5). Needs headers only: works on cut frames, on one direction alone, and when the mirror
//! loses packets, because PSNs count what is missing.

use crate::packet::Bth;
use crate::tick::{Message, MessageKind, QpKey};
use crate::wire::Psn;

/// Messages recorded apart per direction and tick; beyond it neighbours are joined into one record.
const APART: u32 = 256;
/// Beyond [`APART`], a silence this long still starts a new record.
const JOIN_WITHIN_NS: u64 = 400_000;
/// Records per tick of one worker; beyond it they are left out and counted.
const RECORDS: usize = 1 << 17;

/// The records of one tick, of all directions.
#[derive(Debug, Default)]
pub(super) struct MessageLog {
    records: Vec<Message>,
    left_out: u64,
    generation: u32,
}

impl MessageLog {
    /// Hands over the records in order of their end, and how many were left out.
    pub fn take(&mut self) -> (Vec<Message>, u64) {
        self.generation = self.generation.wrapping_add(1);
        let mut records = std::mem::take(&mut self.records);
        records.sort_by_key(Message::order);
        (records, std::mem::take(&mut self.left_out))
    }

    fn push(&mut self, message: Message) -> Option<u32> {
        if self.records.len() == RECORDS {
            self.left_out += 1;
            return None;
        }
        self.records.push(message);
        Some((self.records.len() - 1) as u32)
    }
}

/// Which part of a message a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    kind: MessageKind,
    first: bool,
    last: bool,
}

/// Operations that carry messages; `None` for acknowledgements, read requests, atomics, datagrams.
fn part(opcode: u8) -> Option<Part> {
    use MessageKind::{Read, Send, Write, WriteImm};
    if !matches!(opcode >> 5, 0 | 1 | 5) {
        return None;
    }
    let (kind, first, last) = match opcode & 0x1f {
        0x00 => (Send, true, false),
        0x01 => (Send, false, false),
        0x02 | 0x03 | 0x16 => (Send, false, true),
        0x04 | 0x05 | 0x17 => (Send, true, true),
        0x06 => (Write, true, false),
        0x07 => (Write, false, false),
        0x08 => (Write, false, true),
        0x09 => (WriteImm, false, true),
        0x0a => (Write, true, true),
        0x0b => (WriteImm, true, true),
        0x0d => (Read, true, false),
        0x0e => (Read, false, false),
        0x0f => (Read, false, true),
        0x10 => (Read, true, true),
        _ => return None,
    };
    Some(Part { kind, first, last })
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start_ns: u64,
    last_ns: u64,
    first_psn: u32,
    bytes: u64,
    declared: Option<u32>,
    repeated: u32,
    whole: bool,
}

/// One stream of messages: this side's requests, or its responses to the other side's reads.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    open: Option<Open>,
    /// The PSN after the newest packet.
    next: Option<u32>,
    echoes: u32,
}

/// Assembles the messages of one direction.
#[derive(Debug, Default)]
pub(super) struct Messages {
    requests: Stream,
    responses: Stream,
    pmtu: u32,
    generation: u32,
    /// Records of this direction in this tick.
    recorded: u32,
    /// Its newest record in this tick.
    newest: Option<u32>,
    /// Last PSN of its newest message that was not acknowledged yet.
    unacknowledged: Option<u32>,
}

impl Messages {
    /// Takes a packet that is no copy; `repeat`: its PSN had passed before.
    pub fn take(&mut self, log: &mut MessageLog, key: QpKey, payload_len: u32, bth: &Bth, at_ns: u64, repeat: bool) {
        let Some(part) = part(bth.opcode) else { return };
        self.turn_over(log);
        if !part.last {
            self.pmtu = self.pmtu.max(payload_len);
        }
        let stream = if part.kind == MessageKind::Read { &mut self.responses } else { &mut self.requests };
        let behind = stream.next.is_some_and(|next| psn_distance(bth.psn, next) < 0);
        if repeat || behind {
            if let Some(echo) = stream.again(part, bth.psn, at_ns, repeat) {
                self.record(log, key, echo);
            }
            return;
        }
        let (before, now) = stream.forward(part, payload_len, bth, at_ns, self.pmtu);
        for (message, kind) in [(before, part.kind), (now, part.kind)] {
            if let Some(message) = message {
                self.record(log, key, Message { kind, ..message });
            }
        }
    }

    /// How many packets from `next` on surely go on in the present message of requests, which they change in nothing but its end and
    /// its bytes; and the largest payload that teaches nothing new.
    pub fn middle_left(&self, next: u32) -> (u32, u32) {
        let stream = &self.requests;
        let left = match stream.open {
            Some(open) if stream.next == Some(next) && stream.echoes == 0 => open.left(next, self.pmtu),
            _ => 0,
        };
        (left, self.pmtu)
    }

    /// Packets of the middle went by, with `payload` bytes in all.
    pub fn went_on(&mut self, next: u32, last_ns: u64, payload: u64) {
        self.requests.next = Some(next);
        if let Some(open) = &mut self.requests.open {
            open.last_ns = last_ns;
            open.bytes += payload;
        }
    }

    /// The other side acknowledges everything up to `psn`.
    pub fn acknowledged(&mut self, log: &mut MessageLog, key: QpKey, psn: u32, at_ns: u64) {
        let Some(last) = self.unacknowledged.filter(|&last| psn_distance(psn, last) >= 0) else { return };
        self.unacknowledged = None;
        self.turn_over(log);
        match self.newest.and_then(|i| log.records.get_mut(i as usize)) {
            Some(record) => record.acked_ns = Some(at_ns),
            None => {
                let acked_ns = Some(at_ns);
                let ack = Message { start_ns: at_ns, end_ns: at_ns, last_psn: last, acked_ns, ..Message::empty(key) };
                log.push(ack);
            }
        }
    }

    fn turn_over(&mut self, log: &MessageLog) {
        if self.generation != log.generation {
            self.generation = log.generation;
            self.recorded = 0;
            self.newest = None;
        }
    }

    fn record(&mut self, log: &mut MessageLog, key: QpKey, message: Message) {
        if message.count > 0 && message.kind != MessageKind::Read {
            self.unacknowledged = Some(message.last_psn);
        }
        let newest = self.newest.and_then(|i| log.records.get_mut(i as usize));
        if let Some(newest) = newest
            && self.recorded >= APART
            && message.start_ns.saturating_sub(newest.end_ns) < JOIN_WITHIN_NS
        {
            newest.join(&message);
            return;
        }
        let place = log.push(Message { key, ..message });
        if place.is_some() {
            self.recorded += 1;
            self.newest = place;
        }
    }
}

impl Stream {
    /// A packet that passed before: part of the open message, or an echo of one that had ended.
    fn again(&mut self, part: Part, psn: u32, at_ns: u64, repeat: bool) -> Option<Message> {
        if let Some(open) = &mut self.open
            && psn_distance(psn, open.first_psn) >= 0
        {
            open.repeated += u32::from(repeat);
            open.last_ns = open.last_ns.max(at_ns);
            return None;
        }
        self.echoes += u32::from(repeat);
        if !part.last {
            return None;
        }
        let repeated = std::mem::take(&mut self.echoes);
        let echo = Message {
            start_ns: at_ns,
            end_ns: at_ns,
            first_psn: psn,
            last_psn: psn,
            repeated,
            kind: part.kind,
            ..Message::empty(QpKey::NONE)
        };
        Some(echo)
    }

    /// A packet in order or beyond a gap: gives the message that it shows to have ended unseen, and the one that it ends.
    fn forward(
        &mut self,
        part: Part,
        payload_len: u32,
        bth: &Bth,
        at_ns: u64,
        pmtu: u32,
    ) -> (Option<Message>, Option<Message>) {
        let over = self.open.and_then(|o| o.over_before(part.first, bth.psn, pmtu));
        let before = over.and_then(|last_psn| Some(self.open.take()?.close(last_psn, pmtu)));
        let missing = self.next.map_or(0, |next| psn_distance(bth.psn, next).max(0) as u64);
        self.next = Some(Psn::new(bth.psn).plus(1).get());
        let fresh = Open {
            start_ns: at_ns,
            last_ns: at_ns,
            first_psn: bth.psn,
            bytes: 0,
            declared: if part.first { bth.eth.dma_len } else { None },
            repeated: std::mem::take(&mut self.echoes),
            whole: part.first,
        };
        let continues = self.open.is_some();
        let open = self.open.get_or_insert(fresh);
        open.last_ns = at_ns;
        open.bytes += u64::from(payload_len);
        if continues {
            open.bytes += missing * u64::from(pmtu);
        }
        let now = if part.last { self.open.take().map(|o| o.close(bth.psn, pmtu)) } else { None };
        (before, now)
    }
}

fn psn_distance(psn: u32, earlier: u32) -> i32 {
    Psn::new(psn).distance(Psn::new(earlier))
}

impl Open {
    /// The last PSN of this message, if the packet with `psn` cannot be part of it: it begins another, or it lies beyond the
    /// length that was declared (what lay between was lost by the mirror).
    fn over_before(&self, first: bool, psn: u32, pmtu: u32) -> Option<u32> {
        let beyond = self.declared.filter(|&bytes| pmtu > 0 && !self.within(psn, bytes, pmtu)).map(|bytes| {
            let last_psn = Psn::new(self.first_psn).plus(bytes.div_ceil(pmtu).max(1) - 1).get();
            (psn_distance(psn, last_psn) > 0).then_some(last_psn)
        });
        beyond.flatten().or(first.then_some(Psn::new(psn.wrapping_sub(1)).get()))
    }

    /// Surely not beyond the length that was declared: told without a division, which takes longer than all else here.
    fn within(&self, psn: u32, bytes: u32, pmtu: u32) -> bool {
        let (bytes, pmtu) = (u64::from(bytes), u64::from(pmtu));
        let after = u64::try_from(psn_distance(psn, self.first_psn)).ok();
        bytes <= pmtu << 23 && after.is_some_and(|n| n * pmtu < bytes)
    }

    /// Packets from `next` on that are within this message, whatever they are; without a declared length, all.
    fn left(&self, next: u32, pmtu: u32) -> u32 {
        let Some(bytes) = self.declared.filter(|_| pmtu > 0) else { return u32::MAX };
        if u64::from(bytes) > u64::from(pmtu) << 23 {
            return 0;
        }
        let passed = u32::try_from(psn_distance(next, self.first_psn)).unwrap_or(u32::MAX);
        bytes.div_ceil(pmtu).saturating_sub(passed)
    }

    fn close(self, last_psn: u32, pmtu: u32) -> Message {
        let span = psn_distance(last_psn, self.first_psn).max(0) as u64 + 1;
        let by_span = if span > 1 { self.bytes.max((span - 1) * u64::from(pmtu)) } else { self.bytes };
        let bytes = self.declared.map_or(by_span, u64::from);
        Message {
            start_ns: self.start_ns,
            end_ns: self.last_ns,
            first_psn: self.first_psn,
            last_psn,
            bytes,
            count: 1,
            repeated: self.repeated,
            whole: self.whole,
            ..Message::empty(QpKey::NONE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Addr, Eth};

    const KEY: QpKey = QpKey { src: Addr([1; 16]), dst: Addr([2; 16]), dst_qp: 7 };

    /// Feeds (opcode, PSN, time, repeat, RETH length) with 4,096 bytes of payload each.
    fn feed(packets: &[(u8, u32, u64, bool, Option<u32>)]) -> Vec<Message> {
        let (mut log, mut messages) = (MessageLog::default(), Messages::default());
        for &(opcode, psn, at_ns, repeat, dma_len) in packets {
            let bth = Bth { opcode, psn, eth: Eth { dma_len, ..Eth::default() }, ..Bth::default() };
            messages.take(&mut log, KEY, 4096, &bth, at_ns, repeat);
        }
        messages.acknowledged(&mut log, KEY, 0x00ff_fff0, 999);
        log.take().0
    }

    #[test]
    fn a_message_of_three_packets_and_one_of_one() {
        let seen = feed(&[
            (0x06, 10, 1, false, Some(12_288)),
            (0x07, 11, 2, false, None),
            (0x08, 12, 3, false, None),
            (0x0b, 13, 4, false, Some(4)),
        ]);
        let short: Vec<_> =
            seen.iter().map(|m| (m.start_ns, m.end_ns, m.bytes, m.first_psn, m.last_psn, m.kind)).collect();
        assert_eq!(short, [(1, 3, 12_288, 10, 12, MessageKind::Write), (4, 4, 4, 13, 13, MessageKind::WriteImm)]);
    }

    #[test]
    fn what_the_mirror_lost_is_made_good_by_sequence_numbers() {
        // The last packet of the first message and the first of the second are missing.
        let seen = feed(&[
            (0x00, 10, 1, false, None),
            (0x01, 11, 2, false, None),
            (0x01, 14, 5, false, None),
            (0x02, 15, 6, false, None),
            (0x04, 16, 7, false, None),
        ]);
        let total: u64 = seen.iter().map(|m| m.bytes).sum();
        assert_eq!(total, 7 * 4096);
        let seen =
            feed(&[(0x06, 10, 1, false, Some(8192)), (0x06, 12, 3, false, Some(8192)), (0x08, 13, 4, false, None)]);
        assert_eq!(
            seen.iter().map(|m| (m.first_psn, m.last_psn, m.bytes)).collect::<Vec<_>>(),
            [(10, 11, 8192), (12, 13, 8192)]
        );
    }

    #[test]
    fn a_repeated_end_is_an_echo_and_no_second_message() {
        let seen = feed(&[(0x04, 10, 1, false, None), (0x04, 10, 50, true, None), (0x04, 11, 60, false, None)]);
        assert_eq!(
            seen.iter().map(|m| (m.end_ns, m.count, m.repeated)).collect::<Vec<_>>(),
            [(1, 1, 0), (50, 0, 1), (60, 1, 0)]
        );
    }

    #[test]
    fn very_many_messages_share_records_and_lose_no_bytes() {
        let packets: Vec<_> = (0..5000).map(|i| (0x04, i, u64::from(i) * 10, false, None)).collect();
        let seen = feed(&packets);
        assert!(seen.len() <= 300, "{}", seen.len());
        assert_eq!(seen.iter().map(|m| u64::from(m.count)).sum::<u64>(), 5000);
        assert_eq!(seen.iter().map(|m| m.bytes).sum::<u64>(), 5000 * 4096);
    }
}
