//! Connection management: the messages that name both queue pairs of a connection and its service (IBTA vol 1, 12.6; annex A11).
//!
//! A request names the client's queue pair and the service, the reply the server's: from then on both directions are known
//! to belong together, before their first packet.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::services;
use crate::packet::{Addr, Bth, Packet};
use crate::report::Service;
use crate::tick::QpKey;

/// Queue pair of general services: connection management among them.
const QP1: u32 = 1;
/// Management class of connection management.
const CLASS: u8 = 0x07;
/// Common header of a management datagram.
const MAD_HEADER: usize = 24;
const REQUEST: u16 = 0x0010;
const REPLY: u16 = 0x0013;
/// Requests that wait for their reply, and connections that wait for their first packet: beyond it the oldest half is forgotten.
const WAITING: usize = 16_384;

/// A message that names a queue pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Request { id: u32, service_id: u64, qp: u32 },
    Reply { id: u32, qp: u32 },
}

/// What is known of a direction beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) struct Connection {
    /// The other direction.
    pub reverse: QpKey,
    /// What runs over it, if its service has a name.
    pub service: Option<Service>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    qp: u32,
    service: Option<Service>,
    turn: u64,
}

/// Connections in the making.
#[derive(Debug, Default)]
pub(in crate::worker) struct Connections {
    requests: HashMap<(Addr, Addr, u32), Waiting, FixedState>,
    made: HashMap<QpKey, (Connection, u64), FixedState>,
    turn: u64,
}

impl Connections {
    /// What connection management said of a direction.
    pub fn of(&self, key: &QpKey) -> Option<Connection> {
        self.made.get(key).map(|(connection, _)| *connection)
    }

    /// Takes a datagram to queue pair 1; gives both directions when it completes a connection.
    pub fn take(&mut self, packet: &Packet<'_>, bth: &Bth) -> Option<[QpKey; 2]> {
        if bth.dst_qp != QP1 {
            return None;
        }
        let message = read(packet.payload)?;
        self.turn += 1;
        match message {
            Message::Request { id, service_id, qp } => {
                self.make_room();
                let waiting = Waiting { qp, service: services::name(service_id), turn: self.turn };
                self.requests.insert((packet.src, packet.dst, id), waiting);
                None
            }
            Message::Reply { id, qp } => {
                let request = self.requests.remove(&(packet.dst, packet.src, id))?;
                Some(self.connect(packet, request, qp))
            }
        }
    }

    fn connect(&mut self, reply: &Packet<'_>, request: Waiting, server_qp: u32) -> [QpKey; 2] {
        let to_server = QpKey { src: reply.dst, dst: reply.src, dst_qp: server_qp };
        let to_client = QpKey { src: reply.src, dst: reply.dst, dst_qp: request.qp };
        for (key, reverse) in [(to_server, to_client), (to_client, to_server)] {
            self.made.insert(key, (Connection { reverse, service: request.service }, self.turn));
        }
        [to_server, to_client]
    }

    fn make_room(&mut self) {
        let half = self.turn.saturating_sub(WAITING as u64 / 2);
        if self.requests.len() >= WAITING {
            self.requests.retain(|_, waiting| waiting.turn > half);
        }
        if self.made.len() >= WAITING * 2 {
            self.made.retain(|_, (_, turn)| *turn > half);
        }
    }
}

/// Reads a management datagram. The offsets are those of 12.6.5 (REQ) and 12.6.8 (REP), behind the common header.
fn read(mad: &[u8]) -> Option<Message> {
    let header = mad.first_chunk::<MAD_HEADER>()?;
    if header[1] != CLASS {
        return None;
    }
    let body = mad.get(MAD_HEADER..)?;
    match u16::from_be_bytes([header[16], header[17]]) {
        REQUEST => {
            let service_id = u64::from_be_bytes(*body.get(8..)?.first_chunk()?);
            Some(Message::Request { id: word(body, 0)?, service_id, qp: word(body, 32)? >> 8 })
        }
        REPLY => Some(Message::Reply { id: word(body, 4)?, qp: word(body, 12)? >> 8 }),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mad(attribute: u16, body: &[(usize, &[u8])]) -> Vec<u8> {
        let mut mad = vec![0; 256];
        mad[1] = CLASS;
        mad[16..18].copy_from_slice(&attribute.to_be_bytes());
        for (at, bytes) in body {
            mad[MAD_HEADER + at..MAD_HEADER + at + bytes.len()].copy_from_slice(bytes);
        }
        mad
    }

    #[test]
    fn a_request_names_the_service_and_a_queue_pair() {
        let bytes = mad(REQUEST, &[(0, &[0, 0, 0, 9]), (8, &[0, 0, 0, 0, 1, 6, 0x11, 0x44]), (32, &[0, 0, 0x7b, 4])]);
        let want = Message::Request { id: 9, service_id: 0x0106_1144, qp: 0x7b };
        assert_eq!(read(&bytes), Some(want));
        assert_eq!(services::name(0x0106_1144), Some("nvme-rdma"));
        for len in 0..MAD_HEADER + 36 {
            assert_eq!(read(&bytes[..len]), None, "cut at {len}");
        }
    }

    #[test]
    fn a_reply_names_the_other() {
        let bytes = mad(REPLY, &[(0, &[0, 0, 0, 1]), (4, &[0, 0, 0, 9]), (12, &[0, 0, 0x71, 0])]);
        assert_eq!(read(&bytes), Some(Message::Reply { id: 9, qp: 0x71 }));
        assert_eq!(read(&mad(0x0014, &[])), None);
    }
}
