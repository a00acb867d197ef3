//! RDMA opcodes: transport in the high 3 bits, operation in the low 5 (IBTA vol 1, 9.2.1, table 38).

use crate::packet::Bth;

/// Transport service of an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RdmaTransport {
    /// Reliable connection.
    Rc,
    /// Unreliable connection.
    Uc,
    /// Reliable datagram.
    Rd,
    /// Unreliable datagram.
    Ud,
    /// Congestion notification (opcode 0x81).
    Cnp,
    /// Extended reliable connection.
    Xrc,
    /// Manufacturer's or reserved.
    Other,
}

/// Operation of an opcode, position in the message set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Send.
    Send,
    /// RDMA write.
    Write,
    /// RDMA read request.
    ReadRequest,
    /// RDMA read response.
    ReadResponse,
    /// Acknowledge or negative acknowledge.
    Acknowledge,
    /// Acknowledge of an atomic operation.
    AtomicAcknowledge,
    /// Compare and swap, fetch and add.
    Atomic,
    /// Flush to persistence (IBTA 1.6).
    Flush,
    /// Eight bytes written at once (IBTA 1.6).
    AtomicWrite,
    /// Congestion notification.
    Cnp,
    /// Anything else.
    Other,
}

const CNP: u8 = 0x81;

/// Names of the operations by the low 5 bits; empty ones are reserved.
const NAMES: [&str; 32] = [
    "SEND_FIRST",
    "SEND_MIDDLE",
    "SEND_LAST",
    "SEND_LAST_IMM",
    "SEND_ONLY",
    "SEND_ONLY_IMM",
    "WRITE_FIRST",
    "WRITE_MIDDLE",
    "WRITE_LAST",
    "WRITE_LAST_IMM",
    "WRITE_ONLY",
    "WRITE_ONLY_IMM",
    "READ_REQ",
    "READ_RESP_FIRST",
    "READ_RESP_MIDDLE",
    "READ_RESP_LAST",
    "READ_RESP_ONLY",
    "ACK",
    "ATOMIC_ACK",
    "CMP_SWAP",
    "FETCH_ADD",
    "",
    "SEND_LAST_INV",
    "SEND_ONLY_INV",
    "",
    "",
    "",
    "",
    "FLUSH",
    "ATOMIC_WRITE",
    "",
    "",
];

/// Transport of an opcode.
pub const fn transport(opcode: u8) -> RdmaTransport {
    match opcode >> 5 {
        0 => RdmaTransport::Rc,
        1 => RdmaTransport::Uc,
        2 => RdmaTransport::Rd,
        3 => RdmaTransport::Ud,
        5 => RdmaTransport::Xrc,
        _ if opcode == CNP => RdmaTransport::Cnp,
        _ => RdmaTransport::Other,
    }
}

/// Short name of an opcode's transport: `RC`, `UC`, `RD`, `UD`, `XRC`, `CNP`, `OTHER`.
pub const fn transport_name(opcode: u8) -> &'static str {
    match transport(opcode) {
        RdmaTransport::Rc => "RC",
        RdmaTransport::Uc => "UC",
        RdmaTransport::Rd => "RD",
        RdmaTransport::Ud => "UD",
        RdmaTransport::Cnp => "CNP",
        RdmaTransport::Xrc => "XRC",
        RdmaTransport::Other => "OTHER",
    }
}

/// Whether the transport has that operation: UC only sends and writes, UD only sends whole messages.
const fn exists(opcode: u8) -> bool {
    let low = opcode & 0x1f;
    match transport(opcode) {
        RdmaTransport::Rc | RdmaTransport::Xrc => !NAMES[low as usize].is_empty(),
        RdmaTransport::Uc => low <= 0x0b,
        RdmaTransport::Rd => low <= 0x14,
        RdmaTransport::Ud => matches!(low, 4 | 5),
        RdmaTransport::Cnp => true,
        RdmaTransport::Other => false,
    }
}

/// Name of an opcode in reports: transport and operation, as `RC_WRITE_FIRST`; `CNP`; `OPCODE_0xNN` for those that have none.
pub fn opcode_name(opcode: u8) -> String {
    if opcode == CNP {
        return "CNP".to_owned();
    }
    if !exists(opcode) {
        return format!("OPCODE_0x{opcode:02x}");
    }
    format!("{}_{}", transport_name(opcode), NAMES[usize::from(opcode & 0x1f)])
}

/// Operation of an opcode.
pub const fn operation(opcode: u8) -> Operation {
    if opcode == CNP {
        return Operation::Cnp;
    }
    if !exists(opcode) {
        return Operation::Other;
    }
    match opcode & 0x1f {
        0x00..=0x05 | 0x16 | 0x17 => Operation::Send,
        0x06..=0x0b => Operation::Write,
        0x0c => Operation::ReadRequest,
        0x0d..=0x10 => Operation::ReadResponse,
        0x11 => Operation::Acknowledge,
        0x12 => Operation::AtomicAcknowledge,
        0x13 | 0x14 => Operation::Atomic,
        0x1c => Operation::Flush,
        0x1d => Operation::AtomicWrite,
        _ => Operation::Other,
    }
}

/// Congestion notification packet.
pub const fn is_cnp(opcode: u8) -> bool {
    opcode == CNP
}

/// A requester's packet that carries message payload: sends and writes, on any transport.
pub const fn is_request_data(opcode: u8) -> bool {
    matches!(operation(opcode), Operation::Send | Operation::Write | Operation::AtomicWrite)
}

/// A requester's packet: it takes a PSN of the request direction (a read request as many as its response has packets).
pub const fn is_request(opcode: u8) -> bool {
    matches!(
        operation(opcode),
        Operation::Send
            | Operation::Write
            | Operation::ReadRequest
            | Operation::Atomic
            | Operation::Flush
            | Operation::AtomicWrite
    )
}

/// RDMA read request.
pub const fn is_read_request(opcode: u8) -> bool {
    matches!(operation(opcode), Operation::ReadRequest)
}

/// Compare and swap, fetch and add.
pub const fn is_atomic_request(opcode: u8) -> bool {
    matches!(operation(opcode), Operation::Atomic)
}

/// RDMA read response, in any position.
pub const fn is_read_response(opcode: u8) -> bool {
    matches!(operation(opcode), Operation::ReadResponse)
}

/// Acknowledge (the AETH syndrome tells ACK, NAK and RNR) or atomic acknowledge.
pub const fn is_ack(opcode: u8) -> bool {
    matches!(operation(opcode), Operation::Acknowledge | Operation::AtomicAcknowledge)
}

/// First or only packet of a message of sends, writes or read responses.
pub const fn starts_message(opcode: u8) -> bool {
    carries_message(opcode)
        && matches!(opcode & 0x1f, 0x00 | 0x04 | 0x05 | 0x06 | 0x0a | 0x0b | 0x0d | 0x10 | 0x17 | 0x1d)
}

/// Last or only packet of a message of sends, writes or read responses.
pub const fn ends_message(opcode: u8) -> bool {
    carries_message(opcode) && matches!(opcode & 0x1f, 0x02..=0x05 | 0x08..=0x0b | 0x0f | 0x10 | 0x16 | 0x17 | 0x1d)
}

const fn carries_message(opcode: u8) -> bool {
    is_request_data(opcode) || is_read_response(opcode)
}

impl Bth {
    /// Name of the opcode in reports, see [`opcode_name`].
    pub fn opcode_name(&self) -> String {
        opcode_name(self.opcode)
    }
}

/// Which extension headers follow the base transport header, in the order in which they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// 4 bytes before all others: RDETH (RD) or XRCETH (XRC requests) or FETH (flush).
    pub prefix: bool,
    /// Datagram header, 8 bytes.
    pub deth: bool,
    /// RDMA header, 16 bytes.
    pub reth: bool,
    /// Atomic header, 28 bytes.
    pub atomic: bool,
    /// Acknowledge header, 4 bytes.
    pub aeth: bool,
    /// Whether an atomic acknowledge's 8 bytes, or immediate data's or an invalidated key's 4, or a CNP's 16 follow: in bytes.
    pub tail: u8,
}

static EXTENSIONS: [Extensions; 256] = table();

const fn table() -> [Extensions; 256] {
    let none = Extensions { prefix: false, deth: false, reth: false, atomic: false, aeth: false, tail: 0 };
    let mut all = [none; 256];
    let mut opcode = 0;
    while opcode < 256 {
        all[opcode] = extensions_of(opcode as u8);
        opcode += 1;
    }
    all
}

/// Extension headers of an opcode.
pub(super) fn extensions(opcode: u8) -> Extensions {
    EXTENSIONS[usize::from(opcode)]
}

/// Bytes of the extension headers of each opcode.
static EXTENSIONS_LEN: [u8; 256] = {
    let mut lens = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        let e = extensions_of(opcode as u8);
        lens[opcode] =
            4 * e.prefix as u8 + 8 * e.deth as u8 + 16 * e.reth as u8 + 28 * e.atomic as u8 + 4 * e.aeth as u8 + e.tail;
        opcode += 1;
    }
    lens
};

/// Bytes of the extension headers behind the base transport header.
#[inline(always)]
pub(crate) fn extensions_len(opcode: u8) -> u32 {
    EXTENSIONS_LEN[usize::from(opcode)].into()
}

const fn extensions_of(opcode: u8) -> Extensions {
    let operation = operation(opcode);
    let service = transport(opcode);
    let low = opcode & 0x1f;
    let is_request = is_request(opcode);
    let other = matches!(operation, Operation::Other);
    let datagram = matches!(service, RdmaTransport::Ud) || (matches!(service, RdmaTransport::Rd) && is_request);
    let prefix = matches!(service, RdmaTransport::Rd)
        || (matches!(service, RdmaTransport::Xrc) && is_request)
        || matches!(operation, Operation::Flush);
    Extensions {
        prefix: prefix && !other,
        deth: datagram && !other,
        reth: matches!(operation, Operation::ReadRequest | Operation::Flush | Operation::AtomicWrite)
            || (matches!(operation, Operation::Write) && matches!(low, 0x06 | 0x0a | 0x0b)),
        atomic: matches!(operation, Operation::Atomic),
        aeth: matches!(operation, Operation::Acknowledge | Operation::AtomicAcknowledge)
            || (matches!(operation, Operation::ReadResponse) && low != 0x0e),
        tail: match operation {
            Operation::AtomicAcknowledge => 8,
            Operation::Cnp => 16,
            Operation::Send | Operation::Write if matches!(low, 0x03 | 0x05 | 0x09 | 0x0b | 0x16 | 0x17) => 4,
            _ => 0,
        },
    }
}
