//! What a packet is in a conversation, by its opcode: one table look-up per packet.

use crate::wire::{Operation, RdmaTransport, ends_message, operation, starts_message, transport};

/// What a packet is in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Role {
    /// Sends, writes, atomics: takes a PSN of the sender's own space.
    Request,
    /// Takes as many PSNs as its response has packets.
    ReadRequest,
    /// Read response: echoes the PSNs of the other side's read request.
    Response,
    /// ACK, NAK, RNR NAK, atomic acknowledge.
    Ack,
    /// Congestion notification.
    Cnp,
    /// Datagrams and unknown operations: no PSN logic.
    Other,
}

/// Role and place in the message.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Op {
    pub role: Role,
    /// First or only packet of a message.
    pub first: bool,
    /// Last or only packet of a message.
    pub last: bool,
}

static OPS: [Op; 256] = table();

const fn table() -> [Op; 256] {
    let mut ops = [Op { role: Role::Other, first: false, last: false }; 256];
    let mut opcode = 0;
    while opcode < 256 {
        ops[opcode] = op_of(opcode as u8);
        opcode += 1;
    }
    ops
}

const fn op_of(opcode: u8) -> Op {
    // PSN logic is for connected transports: datagrams of many senders interleave their PSNs at one queue pair.
    let connected = matches!(transport(opcode), RdmaTransport::Rc | RdmaTransport::Uc | RdmaTransport::Xrc);
    let role = match operation(opcode) {
        Operation::Cnp => Role::Cnp,
        _ if !connected => Role::Other,
        Operation::ReadRequest => Role::ReadRequest,
        Operation::ReadResponse => Role::Response,
        Operation::Acknowledge | Operation::AtomicAcknowledge => Role::Ack,
        Operation::Send | Operation::Write | Operation::Atomic | Operation::Flush | Operation::AtomicWrite => {
            Role::Request
        }
        Operation::Other => Role::Other,
    };
    let whole = matches!(operation(opcode), Operation::Atomic | Operation::Flush);
    Op { role, first: starts_message(opcode) || whole, last: ends_message(opcode) || whole }
}

/// Role and place of an opcode.
pub(in crate::worker) fn op(opcode: u8) -> Op {
    OPS[usize::from(opcode)]
}
