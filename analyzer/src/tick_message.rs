//! Messages of RDMA, as a tick hands them over.

use crate::tick::QpKey;

/// How a message travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageKind {
    /// SEND, with or without immediate.
    #[default]
    Send,
    /// RDMA WRITE.
    Write,
    /// RDMA WRITE with immediate: the receiver is told.
    WriteImm,
    /// The data of an RDMA READ, from responder to requester.
    Read,
}

/// One RDMA message that ended in this tick, or several in a row where a direction had more than its share of records.
/// A record without `count` is an echo: the end of a message was repeated, or acknowledged in a later tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The direction that carried it.
    pub key: QpKey,
    /// First packet at the tap.
    pub start_ns: u64,
    /// Last packet at the tap.
    pub end_ns: u64,
    /// Acknowledgement at the tap; of the newest message in the record; absent while unknown.
    pub acked_ns: Option<u64>,
    /// Payload.
    pub bytes: u64,
    /// Messages in this record.
    pub count: u32,
    /// Packets repeated by the sender in it.
    pub repeated: u32,
    /// PSN of the first packet.
    pub first_psn: u32,
    /// PSN of the last packet.
    pub last_psn: u32,
    /// How it travels.
    pub kind: MessageKind,
    /// Its first packet was seen; otherwise `start_ns` is that of the first one seen.
    pub whole: bool,
}

impl Message {
    /// Nothing yet of this direction.
    pub fn empty(key: QpKey) -> Self {
        Self {
            key,
            start_ns: 0,
            end_ns: 0,
            acked_ns: None,
            bytes: 0,
            count: 0,
            repeated: 0,
            first_psn: 0,
            last_psn: 0,
            kind: MessageKind::Send,
            whole: true,
        }
    }

    /// Total order: by end, then by direction and PSN.
    pub fn order(&self) -> (u64, QpKey, u32, u64) {
        (self.end_ns, self.key, self.last_psn, self.start_ns)
    }

    /// Takes a later message of the same direction into this record.
    pub fn join(&mut self, later: &Self) {
        self.end_ns = self.end_ns.max(later.end_ns);
        self.acked_ns = later.acked_ns.or(self.acked_ns);
        self.bytes += later.bytes;
        self.count += later.count;
        self.repeated += later.repeated;
        self.last_psn = later.last_psn;
        self.kind = later.kind;
    }
}
