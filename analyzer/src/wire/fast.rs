//! The common shape first: Ethernet, at most two tags, IPv4 without options or IPv6 without extensions, UDP or TCP, RoCEv2.
//!
//! Gives exactly what the general walk gives, or nothing: then the walk reads the frame. A test compares the two.

use super::rdma::base_transport;
use super::span::{Span, be16};
use super::transport::tcp_header;
use crate::packet::{Addr, Bth, Ip, Packet, RdmaCarrier, Transport};
use crate::tick::FlowKey;

const MAX_TAGS: usize = 2;
const IPV4_LEN: u32 = 20;
const IPV6_LEN: u32 = 40;
const UDP_LEN: u32 = 8;

/// What a packet of the common shape is besides its fields.
pub(super) struct Common {
    /// Id of the first tag.
    pub outer_vlan: Option<u16>,
    /// The flow that it belongs to: made while its parts are still in registers.
    pub key: FlowKey,
}

/// What Ethernet and its tags say.
struct Outer<'a> {
    dst_mac: [u8; 6],
    src_mac: [u8; 6],
    outer_vlan: Option<u16>,
    vlan: Option<u16>,
    pcp: u8,
    ethertype: u16,
    rest: Span<'a>,
}

/// What IP says, and the stretch from its header to its end.
struct Inner<'a> {
    src: Addr,
    dst: Addr,
    ip: Ip,
    network: Span<'a>,
    payload: Span<'a>,
}

/// Reads a frame of the common shape. Leaves envelope, outer tag and length of the packet as they are, and all of it if the frame
/// is of another shape.
#[inline(always)]
pub(super) fn read<'a>(rdma_ports: &[u16], frame: Span<'a>, packet: &mut Packet<'a>) -> Option<Common> {
    let outer = ethernet(frame)?;
    let inner = match outer.ethertype {
        0x0800 => ipv4(outer.rest)?,
        0x86dd => ipv6(outer.rest)?,
        _ => return None,
    };
    let (transport, payload) = match inner.ip.protocol {
        17 => udp(rdma_ports, inner.payload)?,
        6 => tcp_header(inner.payload).ok()?,
        _ => return None,
    };
    let key = FlowKey::of(inner.src, inner.dst, inner.ip.protocol, &transport);
    packet.src_mac = Some(outer.src_mac);
    packet.dst_mac = Some(outer.dst_mac);
    packet.vlan = outer.vlan;
    packet.pcp = outer.pcp;
    packet.ethertype = outer.ethertype;
    packet.src = inner.src;
    packet.dst = inner.dst;
    packet.ip = Some(inner.ip);
    packet.transport = transport;
    packet.payload = payload.bytes;
    packet.payload_len = payload.len;
    packet.network = inner.network.bytes;
    packet.whole = !inner.network.is_cut();
    Some(Common { outer_vlan: outer.outer_vlan, key })
}

#[inline(always)]
fn ethernet(frame: Span<'_>) -> Option<Outer<'_>> {
    let (&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1], mut rest) = frame.take::<14>()?;
    let (mut ethertype, mut outer_vlan, mut vlan, mut pcp) = (be16(t0, t1), None, None, 0);
    for _ in 0..MAX_TAGS {
        if ethertype != 0x8100 {
            break;
        }
        let (&[c0, c1, t0, t1], inner) = rest.take::<4>()?;
        let control = be16(c0, c1);
        let id = control & 0x0fff;
        outer_vlan = outer_vlan.or(Some(id));
        if id != 0 {
            vlan = Some(id);
        }
        pcp = (control >> 13) as u8;
        (ethertype, rest) = (be16(t0, t1), inner);
    }
    let (dst_mac, src_mac) = ([d0, d1, d2, d3, d4, d5], [s0, s1, s2, s3, s4, s5]);
    Some(Outer { dst_mac, src_mac, outer_vlan, vlan, pcp, ethertype, rest })
}

#[inline(always)]
fn ipv4(span: Span<'_>) -> Option<Inner<'_>> {
    let (h, _) = span.take::<20>()?;
    let total = u32::from(be16(h[2], h[3]));
    let fragment = be16(h[6], h[7]) & 0x3fff;
    if h[0] != 0x45 || fragment != 0 || total < IPV4_LEN || total > span.len {
        return None;
    }
    let network = span.claimed(total);
    let ip =
        Ip { dscp: h[1] >> 2, ecn: h[1] & 3, ttl: h[8], id: be16(h[4], h[5]), protocol: h[9], later_fragment: false };
    let (src, dst) = (Addr::v4([h[12], h[13], h[14], h[15]]), Addr::v4([h[16], h[17], h[18], h[19]]));
    Some(Inner { src, dst, ip, network, payload: network.after(20) })
}

#[inline(always)]
fn ipv6(span: Span<'_>) -> Option<Inner<'_>> {
    let (h, _) = span.take::<40>()?;
    let length = u32::from(be16(h[4], h[5]));
    if h[0] >> 4 != 6 || length == 0 || length + IPV6_LEN > span.len {
        return None;
    }
    let network = span.claimed(length + IPV6_LEN);
    let class = h[0] << 4 | h[1] >> 4;
    let ip = Ip { dscp: class >> 2, ecn: class & 3, ttl: h[7], id: 0, protocol: h[6], later_fragment: false };
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    src.copy_from_slice(&h[8..24]);
    dst.copy_from_slice(&h[24..40]);
    Some(Inner { src: Addr(src), dst: Addr(dst), ip, network, payload: network.after(40) })
}

#[inline(always)]
fn udp<'a>(rdma_ports: &[u16], span: Span<'a>) -> Option<(Transport, Span<'a>)> {
    let (&[s0, s1, d0, d1, l0, l1, _, _], rest) = span.take::<8>()?;
    let (sport, dport, length) = (be16(s0, s1), be16(d0, d1), u32::from(be16(l0, l1)));
    if length < UDP_LEN {
        return None;
    }
    let payload = rest.within(length - UDP_LEN);
    if rdma_ports.contains(&dport) {
        let carried = Bth { carrier: RdmaCarrier::RoceV2, sport, dport, ..Bth::default() };
        let (bth, payload) = base_transport(carried, payload).ok()?;
        return Some((Transport::Rdma(bth), payload));
    }
    // What may hold another packet is the walk's.
    let tunnel = matches!(dport, 4789 | 8472 | 6081 | 2152);
    (!tunnel).then_some((Transport::Udp(sport, dport), payload))
}
