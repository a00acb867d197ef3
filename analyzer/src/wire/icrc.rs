//! The invariant CRC of RDMA packets (IBTA vol 1, 7.8.1; annex A17.3.3).

use crc32fast::Hasher;

use crate::packet::{Packet, RdmaCarrier, Transport};

/// CRC of the 8 bytes of ones that stand in place of the local route header.
const ONES_CRC: u32 = 0x2144_df1c;
/// Longest headers that are masked: local route and global route header and base transport header, or IPv4 with options, UDP, BTH.
const MAX_HEAD: usize = 80;
const BTH_LEN: usize = 12;
const UDP_LEN: usize = 8;

/// Headers with the bytes that may change on the way set to ones.
struct Head {
    bytes: [u8; MAX_HEAD],
    len: usize,
}

/// Whether the invariant CRC is right; none where it can't be known: not RDMA, cut, or a fragment.
pub fn icrc_ok(packet: &Packet<'_>) -> Option<bool> {
    let Transport::Rdma(bth) = packet.transport else { return None };
    if !packet.whole {
        return None;
    }
    let (head, covered) = match bth.carrier {
        RdmaCarrier::RoceV2 => return icrc_ok_v2(packet.network),
        RdmaCarrier::RoceV1 => (masked_v6(packet.network, 0, BTH_LEN)?, packet.network),
        RdmaCarrier::Infiniband => (infiniband(packet.network)?, packet.network),
    };
    let (body, expected) = covered.get(head.len..)?.split_last_chunk::<4>()?;
    // Native InfiniBand has its own local route header in the masked bytes.
    let native = bth.carrier == RdmaCarrier::Infiniband;
    let mut crc = if native { Hasher::new() } else { Hasher::new_with_initial(ONES_CRC) };
    crc.update(head.bytes.get(..head.len)?);
    crc.update(body);
    Some(crc.finalize() == u32::from_le_bytes(*expected))
}

/// The same of a whole RoCEv2 packet, from its IP header on.
pub(crate) fn icrc_ok_v2(network: &[u8]) -> Option<bool> {
    let (head, covered) = roce_v2(network)?;
    let (body, expected) = covered.get(head.len..)?.split_last_chunk::<4>()?;
    let mut crc = Hasher::new_with_initial(ONES_CRC);
    crc.update(head.bytes.get(..head.len)?);
    crc.update(body);
    Some(crc.finalize() == u32::from_le_bytes(*expected))
}

fn copy(bytes: &[u8], len: usize) -> Option<Head> {
    let mut head = Head { bytes: [0; MAX_HEAD], len };
    head.bytes.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
    Some(head)
}

fn roce_v2(network: &[u8]) -> Option<(Head, &[u8])> {
    let ip_len = match network.first()? >> 4 {
        4 => usize::from(network.first()? & 0x0f) * 4,
        // Behind extension headers there is no RoCE in practice; fragments are among those.
        6 if *network.get(6)? == 17 => 40,
        _ => return None,
    };
    let udp_len = u16::from_be_bytes([*network.get(ip_len + 4)?, *network.get(ip_len + 5)?]);
    let end = if udp_len == 0 { network.len() } else { ip_len + usize::from(udp_len) };
    let covered = network.get(..end)?;
    let mut head = match ip_len {
        40 if network.first()? >> 4 == 6 => masked_v6(covered, 0, UDP_LEN + BTH_LEN)?,
        _ => masked_v4(covered, ip_len)?,
    };
    for byte in head.bytes.get_mut(ip_len + 6..ip_len + 8)? {
        *byte = 0xff;
    }
    Some((head, covered))
}

/// IPv4: type of service, time to live and checksum may change. None for fragments.
fn masked_v4(bytes: &[u8], ip_len: usize) -> Option<Head> {
    let mut head = copy(bytes, ip_len + UDP_LEN + BTH_LEN)?;
    let fragment = u16::from_be_bytes([head.bytes[6], head.bytes[7]]) & 0x3fff;
    if fragment != 0 || head.bytes[9] != 17 {
        return None;
    }
    for at in [1, 8, 10, 11] {
        head.bytes[at] = 0xff;
    }
    mask_bth(head)
}

/// IPv6 or global route header at `at`: traffic class, flow label and hop limit may change. `behind` bytes of headers follow it.
fn masked_v6(bytes: &[u8], at: usize, behind: usize) -> Option<Head> {
    let mut head = copy(bytes, at + 40 + behind)?;
    let ip = head.bytes.get_mut(at..at + 40)?;
    ip[0] |= 0x0f;
    ip[1..4].fill(0xff);
    ip[7] = 0xff;
    mask_bth(head)
}

/// Local route header: the virtual lane may change; under a global route header, routers change all of it.
fn infiniband(bytes: &[u8]) -> Option<Head> {
    if bytes.get(1)? & 3 == 3 {
        let mut head = masked_v6(bytes, 8, BTH_LEN)?;
        head.bytes[..8].fill(0xff);
        return Some(head);
    }
    let mut head = mask_bth(copy(bytes, 8 + BTH_LEN)?)?;
    head.bytes[0] |= 0xf0;
    Some(head)
}

/// Base transport header, the last of the masked headers: FECN, BECN and the reserved bits beside them may change.
fn mask_bth(mut head: Head) -> Option<Head> {
    let at = head.len.checked_sub(BTH_LEN - 4)?;
    *head.bytes.get_mut(at)? = 0xff;
    Some(head)
}
