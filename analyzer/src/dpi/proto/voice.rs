//! Calls and media: SIP, RTSP, RTP, RTCP (RFC 3261, RFC 7826, RFC 2326, RFC 3550).

use super::http;
use crate::dpi::bytes::{Bytes, decimal, lines, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};
use crate::packet::Addr;

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("sip", "Session Initiation Protocol", Group::Media, Over::BOTH, &[5060], "RFC 3261", sip)
        .datagrams(8, &[(0x41, 0x5a), (0x20, 0x20)]),
    Protocol::new("rtsp", "Real-Time Streaming Protocol", Group::Media, Over::TCP, &[554, 8554], "RFC 7826", rtsp),
    Protocol::new("rtcp", "RTP Control Protocol", Group::Media, Over::UDP, &[], "RFC 3550", |l, _| rtcp(l))
        .datagrams(8, &[(0x80, 0xbf)]),
    Protocol::new(
        "rtp",
        "Real-time Transport Protocol",
        Group::Media,
        Over::BOTH,
        &[],
        "RFC 3550, RFC 4571",
        |l, _| rtp(l),
    )
    .datagrams(13, &[(0x80, 0xbf)]),
];

const SIP_METHODS: &[&[u8]] = &[
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"REGISTER",
    b"PRACK",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"INFO",
    b"REFER",
    b"MESSAGE",
    b"UPDATE",
];

fn sip(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(line) = here.line(2048) else {
        let begun = SIP_METHODS.iter().any(|m| m.starts_with(here.first_of(m.len().min(4))))
            || b"SIP/2.0".starts_with(here.first_of(7));
        return if look.tcp() && begun && here.len() < 2048 { Answer::Unsure } else { Answer::NotForUs };
    };
    let request = line.ends_with(b" SIP/2.0") && words(line).next().is_some_and(|w| SIP_METHODS.contains(&w));
    if !request && !line.starts_with(b"SIP/2.0 ") {
        return Answer::NotForUs;
    }
    for header in lines(here).take(64) {
        if header.begins_like(b"user-agent:") || header.begins_like(b"server:") {
            facts.set("user_agent", header.from(header.iter().position(|b| *b == b':').unwrap_or(0) + 1).trim_ascii());
        }
    }
    media(here, facts);
    Answer::Certain("sip", 1.0)
}

/// The session description announces where media will flow (RFC 8866).
fn media(text: &[u8], facts: &mut Facts) {
    let mut addr = Addr::default();
    for line in lines(text).take(200) {
        if let Some(rest) = line.strip_prefix(b"c=IN IP4 ") {
            let parsed = std::str::from_utf8(rest).ok().and_then(|t| t.trim().parse::<std::net::Ipv4Addr>().ok());
            addr = parsed.map_or(addr, Addr::from);
        }
        let port = line.strip_prefix(b"m=").and_then(|m| words(m).nth(1)).and_then(decimal);
        if let Some(port @ 1..=65_534) = port {
            facts.expect(addr, port as u16, "rtp");
            facts.expect(addr, port as u16 + 1, "rtcp");
        }
    }
}

const RTSP_METHODS: [&[u8]; 11] = [
    b"OPTIONS",
    b"DESCRIBE",
    b"SETUP",
    b"PLAY",
    b"PAUSE",
    b"TEARDOWN",
    b"ANNOUNCE",
    b"RECORD",
    b"GET_PARAMETER",
    b"SET_PARAMETER",
    b"REDIRECT",
];

fn rtsp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(line) = here.line(2048) else {
        let begun = RTSP_METHODS.iter().any(|m| m.starts_with(here.first_of(4))) || here.starts_with(b"RTSP/1.0");
        return if begun && here.len() < 2048 { Answer::Unsure } else { Answer::NotForUs };
    };
    let request =
        words(line).next().is_some_and(|w| RTSP_METHODS.contains(&w)) && line.find(b" RTSP/", line.len()).is_some();
    if let Some(response) = http::response(here, b"RTSP/") {
        facts.set("server", response.header(b"server").unwrap_or_default());
        return Answer::Certain("rtsp", 1.0);
    }
    if request { Answer::Certain("rtsp", 1.0) } else { Answer::NotForUs }
}

/// Payload types that RFC 3551 and RFC 5761 leave to RTP: static 0..=34, dynamic 96..=127 (and 35..=63 by later use).
fn rtp_head(bytes: &[u8]) -> Option<(u8, u16, u32, u32)> {
    let (first, second) = (bytes.u8(0)?, bytes.u8(1)?);
    let kind = second & 0x7f;
    let sources = usize::from(first & 15);
    let sane = first >> 6 == 2 && (kind <= 34 || kind >= 96) && bytes.len() > 12 + 4 * sources;
    sane.then(|| Some((kind, bytes.be16(2)?, bytes.be32(4)?, bytes.be32(8)?))).flatten()
}

/// Two packets of one source, a step apart, whose clock does not leap.
fn rtp(look: &Look<'_>) -> Answer {
    if look.tcp() {
        return rtp_stream(look.here);
    }
    let Some((kind, seq, time, source)) = rtp_head(look.here) else { return Answer::NotForUs };
    if look.here.len() < 14 {
        return Answer::NotForUs;
    }
    let mut steps = 0;
    for earlier in look.datagrams() {
        let Some((kind0, seq0, time0, source0)) = rtp_head(earlier) else { continue };
        let step = seq.wrapping_sub(seq0);
        let near = (1..=64).contains(&step) && time.wrapping_sub(time0) < 1 << 20;
        if source0 == source && near && source != 0 {
            steps += 1 + i32::from(kind0 == kind);
        }
    }
    match steps {
        4.. => Answer::Certain("rtp", 0.9),
        _ if look.packets > 8 => Answer::NotForUs,
        _ => Answer::Unsure,
    }
}

/// Packets behind their lengths (RFC 4571): two of one source in a row.
fn rtp_stream(here: &[u8]) -> Answer {
    let Some(len) = here.be16(0).map(usize::from) else { return Answer::Unsure };
    let Some((_, seq, time, source)) = rtp_head(here.from(2)).filter(|_| (13..=4096).contains(&len)) else {
        return if here.len() < 15 && here.u8(2).is_none_or(|b| b >> 6 == 2) {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    };
    let Some(next) = here.get(2 + len + 2..).filter(|n| n.len() >= 13) else { return Answer::Unsure };
    match rtp_head(next) {
        Some((_, seq1, time1, source1))
            if source1 == source && seq1 == seq.wrapping_add(1) && time1.wrapping_sub(time) < 1 << 20 =>
        {
            Answer::Certain("rtp", 0.93)
        }
        _ => Answer::NotForUs,
    }
}

/// A compound that begins with a report, or feedback: lengths lead exactly to the end (RFC 3550 6.1, RFC 4585).
fn rtcp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (mut at, mut count) = (0, 0);
    while at < here.len() {
        let (Some(first), Some(kind), Some(words)) = (here.u8(at), here.u8(at + 1), here.be16(at + 2)) else {
            return Answer::NotForUs;
        };
        if first >> 6 != 2 || !(200..=207).contains(&kind) {
            // SRTCP: an index and a tag behind encrypted reports.
            let tagged = count > 0 && matches!(here.len() - at, 8..=14 | 20);
            return if tagged { Answer::Certain("rtcp", 0.75) } else { Answer::NotForUs };
        }
        let reports = usize::from(first & 31);
        let least = match kind {
            200 => 6 + 6 * reports,
            201 => 1 + 6 * reports,
            _ => 0,
        };
        if usize::from(words) < least {
            return Answer::NotForUs;
        }
        at += 4 + 4 * usize::from(words);
        count += 1;
    }
    if at != here.len() || here.len() < 8 {
        return Answer::NotForUs;
    }
    Answer::Certain("rtcp", if count > 1 { 0.9 } else { 0.8 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn signalling() {
        assert_eq!(named(Over::UDP, 9, 5999, b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n"), Some("sip"));
        assert_eq!(named(Over::TCP, 5999, 9, b"SIP/2.0 200 OK\r\n\r\n"), Some("sip"));
        assert_eq!(named(Over::TCP, 9, 5999, b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"), Some("rtsp"));
    }

    #[test]
    fn media_needs_a_sequence() {
        let packet = |seq: u8, source: u8| {
            let mut p = vec![0x80, 96, 0, seq, 0, 0, 1, seq, 1, 2, 3, source];
            p.extend([seq; 160]);
            p
        };
        let (a, b, c) = (packet(1, 9), packet(2, 9), packet(3, 9));
        assert_eq!(feed(Over::UDP, 7, 8, &[(true, &a), (true, &b), (true, &c)]).named.map(|n| n.name), Some("rtp"));
        let (x, y) = (packet(1, 1), packet(2, 2));
        assert_eq!(feed(Over::UDP, 7, 8, &[(true, &x), (true, &y)]).named, None);
        assert_eq!(
            named(Over::UDP, 7, 8, &[0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 2, 1, 2, 3, 4, 1, 0, 0, 0]),
            Some("rtcp")
        );
    }
}
