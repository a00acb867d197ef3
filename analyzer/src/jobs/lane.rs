//! One lane: the large messages of one queue-pair direction, in order, as far back as memory is given.

use std::collections::VecDeque;

use crate::tick::{Message, MessageKind, QpKey};
use crate::wire::Psn;

/// Messages kept per lane; the older half then shares records (48 bytes each).
pub(super) const LANE_MESSAGES: usize = 2048;
/// Smaller than this is control (credits, acknowledgements by hand, barriers), never the exchange itself.
pub(super) const DATA_BYTES: u64 = 1024;
/// A message this many times smaller than the lane's largest is control too.
const CONTROL_SHARE: u64 = 64;
/// Messages back that a repeated end or a late acknowledgement may belong to.
const ECHO_REACH: usize = 64;
/// Most WRITEs taken together with the WRITE WITH IMMEDIATE that announces them.
const WRITES_PER_NOTICE: usize = 64;

/// A message as the engine sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Msg {
    pub start_ns: u64,
    pub end_ns: u64,
    /// Its end, or the last repeat of it before it was acknowledged.
    pub over_ns: u64,
    /// Acknowledged, where that was seen.
    pub acked_ns: Option<u64>,
    pub bytes: u64,
    pub count: u32,
    pub repeated: u32,
    /// PSN of the last packet.
    pub last_psn: u32,
    /// Followed by no notice yet: may belong to a later WRITE WITH IMMEDIATE.
    pub unannounced: bool,
}

/// PSNs from the end of one message to that of another.
pub(super) fn stride_to(one: &Msg, other: &Msg) -> u64 {
    Psn::new(other.last_psn.wrapping_sub(one.last_psn)).get().into()
}

/// PSNs from each message to the next.
pub(super) fn strides(messages: &[Msg]) -> Vec<u64> {
    messages.iter().zip(messages.iter().skip(1)).map(|(one, next)| stride_to(one, next)).collect()
}

/// A message too small to carry an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Small {
    pub end_ns: u64,
    /// Acknowledged, where that was seen.
    pub acked_ns: Option<u64>,
    /// PSN of the last packet.
    pub last_psn: u32,
}

/// The history of one direction.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub key: QpKey,
    pub messages: VecDeque<Msg>,
    /// Small messages.
    pub control: VecDeque<Small>,
    /// Largest message, in bytes.
    pub largest: u64,
    /// Runs a service (storage, rpc) that is no training.
    pub service: bool,
    /// End of the newest message of any size.
    pub last_ns: u64,
    /// Messages that share a record with an older one.
    pub joined: u64,
    /// All messages ever, and their bytes.
    pub total: u64,
}

impl Lane {
    pub fn new(key: QpKey) -> Self {
        Self {
            key,
            messages: VecDeque::new(),
            control: VecDeque::new(),
            largest: 0,
            service: false,
            last_ns: 0,
            joined: 0,
            total: 0,
        }
    }

    /// Takes a record in order of its end.
    pub fn take(&mut self, message: &Message) {
        self.last_ns = self.last_ns.max(message.end_ns);
        if message.count == 0 {
            return self.echo(message);
        }
        let each = message.bytes / u64::from(message.count);
        if each < DATA_BYTES {
            let (end_ns, acked_ns, last_psn) = (message.end_ns, message.acked_ns, message.last_psn);
            self.control.push_back(Small { end_ns, acked_ns, last_psn });
            if self.control.len() > LANE_MESSAGES {
                self.control.pop_front();
            }
            self.notice(message, None);
            return;
        }
        self.total += u64::from(message.count);
        self.largest = self.largest.max(each);
        let msg = Msg {
            start_ns: message.start_ns,
            end_ns: message.end_ns,
            over_ns: message.end_ns,
            acked_ns: message.acked_ns,
            bytes: message.bytes,
            count: message.count,
            repeated: message.repeated,
            last_psn: message.last_psn,
            unannounced: message.kind == MessageKind::Write,
        };
        self.notice(message, Some(msg));
        self.bound();
    }

    /// A WRITE WITH IMMEDIATE announces the WRITEs before it: together they are one message to the application.
    fn notice(&mut self, message: &Message, msg: Option<Msg>) {
        if message.kind != MessageKind::WriteImm {
            self.messages.extend(msg);
            return;
        }
        let open = self.messages.iter().rev().take_while(|m| m.unannounced).count();
        if open == 0 || open > WRITES_PER_NOTICE {
            self.messages.extend(msg);
            return;
        }
        let mut whole: Option<Msg> = None;
        for part in self.messages.split_off(self.messages.len() - open).into_iter().chain(msg) {
            whole = Some(whole.map_or(part, |w| Msg { count: 1, ..w.joined(&part) }));
        }
        self.messages.extend(whole.map(|w| Msg { unannounced: false, ..w }));
    }

    /// The end of an earlier message: again, because it was not done before, or acknowledged at last.
    fn echo(&mut self, message: &Message) {
        let small = self.control.iter_mut().rev().take(ECHO_REACH).find(|s| s.last_psn == message.last_psn);
        if let Some(small) = small {
            small.acked_ns = small.acked_ns.or(message.acked_ns);
            return;
        }
        let back = self.messages.iter().rev().take(ECHO_REACH).position(|m| m.last_psn == message.last_psn);
        let Some(place) = back.and_then(|b| self.messages.len().checked_sub(b + 1)) else { return };
        // With a later one under way it is not this one that all wait for.
        let newest = place + 1 == self.messages.len();
        let Some(earlier) = self.messages.get_mut(place) else { return };
        if message.repeated > 0 && newest && earlier.acked_ns.is_none() {
            earlier.over_ns = earlier.over_ns.max(message.end_ns);
        }
        earlier.acked_ns = earlier.acked_ns.or(message.acked_ns);
        earlier.repeated += message.repeated;
    }

    fn bound(&mut self) {
        if self.messages.len() < LANE_MESSAGES {
            return;
        }
        let mut gaps: Vec<u64> = self.pairs().map(|(a, b)| b.start_ns.saturating_sub(a.end_ns)).collect();
        let middle = gaps.len() / 2;
        let (_, &mut median, _) = gaps.select_nth_unstable(middle);
        let mut kept: VecDeque<Msg> = VecDeque::with_capacity(self.messages.len());
        for msg in std::mem::take(&mut self.messages) {
            match kept.back_mut() {
                Some(last) if msg.start_ns.saturating_sub(last.end_ns) <= median => {
                    *last = last.joined(&msg);
                    self.joined += 1;
                }
                _ => kept.push_back(msg),
            }
        }
        while kept.len() > LANE_MESSAGES / 2 {
            kept.pop_front();
        }
        self.messages = kept;
    }

    fn pairs(&self) -> impl Iterator<Item = (&Msg, &Msg)> {
        self.messages.iter().zip(self.messages.iter().skip(1))
    }

    /// Median time from the end of a message to its acknowledgement.
    pub fn ack_delay_ns(&self) -> u64 {
        let delay = |m: &Msg| Some(m.acked_ns?.saturating_sub(m.end_ns));
        let mut all: Vec<u64> = self.messages.iter().filter_map(delay).collect();
        super::cadence::quantile(&mut all, 0.5).unwrap_or(0)
    }

    /// Messages that carry the exchange: the lane's small ones left out.
    pub fn data(&self) -> Vec<Msg> {
        let least = DATA_BYTES.max(self.largest / CONTROL_SHARE);
        self.messages.iter().filter(|m| m.bytes / u64::from(m.count.max(1)) >= least).copied().collect()
    }

    /// Forgets what ended before `ns`.
    pub fn forget_before(&mut self, ns: u64) {
        while self.messages.front().is_some_and(|m| m.end_ns < ns) {
            self.messages.pop_front();
        }
    }
}

impl Msg {
    /// This and a later one as one.
    fn joined(&self, later: &Self) -> Self {
        Self {
            start_ns: self.start_ns.min(later.start_ns),
            end_ns: self.end_ns.max(later.end_ns),
            over_ns: self.over_ns.max(later.over_ns),
            acked_ns: later.acked_ns,
            bytes: self.bytes + later.bytes,
            count: self.count + later.count,
            repeated: self.repeated + later.repeated,
            last_psn: later.last_psn,
            unannounced: later.unannounced,
        }
    }
}
