//! Remote calls: DCE RPC, Thrift, FastCGI, AJP, JSON-RPC and OVSDB, OpenFlow.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("dcerpc", "DCE RPC", Group::Rpc, Over::BOTH, &[135], "The Open Group C706, MS-RPCE", |l, _| {
        dcerpc(l)
    })
    .datagrams(80, &[(0x04, 0x04)]),
    Protocol::new("thrift", "Apache Thrift", Group::Rpc, Over::TCP, &[9090], "thrift doc/specs", thrift),
    Protocol::new("fastcgi", "FastCGI", Group::Rpc, Over::TCP, &[9000], "FastCGI specification 1.0", fastcgi),
    Protocol::new("ajp", "Apache JServ Protocol 1.3", Group::Rpc, Over::TCP, &[8009], "AJPv13", |l, _| ajp(l)),
    Protocol::new(
        "json-rpc",
        "JSON-RPC, OVSDB, Stratum",
        Group::Rpc,
        Over::TCP,
        &[6640],
        "JSON-RPC 2.0, RFC 7047",
        json,
    )
    .also(&["ovsdb", "stratum"]),
    Protocol::new(
        "openflow",
        "OpenFlow",
        Group::Routing,
        Over::TCP,
        &[6633, 6653],
        "OpenFlow Switch Specification 1.5",
        |l, _| openflow(l),
    ),
];

/// Connection-oriented version 5, connectionless version 4: type, data representation, fragment length.
fn dcerpc(look: &Look<'_>) -> Answer {
    let here = look.here;
    if look.udp() {
        return datagram(look);
    }
    let (Some(version), Some(minor)) = (here.u8(0), here.u8(1)) else {
        return if here.first().is_none_or(|v| *v == 5) { Answer::Unsure } else { Answer::NotForUs };
    };
    if version != 5 || minor > 1 {
        return Answer::NotForUs;
    }
    let (Some(kind), Some(representation)) = (here.u8(2), here.be32(4)) else { return Answer::Unsure };
    let little = representation == 0x1000_0000;
    let len = if little { here.le16(8) } else { here.be16(8) };
    let known = matches!(kind, 0 | 2 | 3 | 11..=19) && (little || representation == 0);
    // Without a data representation the length must be that of what is here.
    let sure = little || len.is_some_and(|l| usize::from(l) == here.len());
    match len {
        Some(16..) if known && sure => Answer::Certain("dcerpc", 0.97),
        Some(_) if known && here.len() < 16 => Answer::Unsure,
        None if known => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

fn datagram(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(4), Some(kind), Some(representation)) = (here.u8(0), here.u8(1), here.u8(4)) else {
        return Answer::NotForUs;
    };
    let len = if representation & 0x10 != 0 { here.le16(74) } else { here.be16(74) };
    let shaped =
        kind <= 10 && representation & 0xee == 0 && here.u8(5).is_some_and(|b| b <= 3) && here.u8(6) == Some(0);
    let sized = len.is_some_and(|l| 80 + usize::from(l) <= here.len());
    if shaped && sized && here.u8(3).is_some_and(|f| f & 0xfc == 0) {
        Answer::Certain("dcerpc", 0.93)
    } else {
        Answer::NotForUs
    }
}

/// Strict binary (version 1, message type, name), framed or not; compact; and the old binary form.
fn thrift(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    for at in [0, 4] {
        let message = here.from(at);
        if message.be16(0) == Some(0x8001) && message.u8(2) == Some(0) && matches!(message.u8(3), Some(1..=4)) {
            return method(message.be32(4), message.from(8), facts);
        }
        if message.u8(0) == Some(0x82) && message.u8(1).is_some_and(|b| b & 0x1f == 1 && b >> 5 != 0 && b >> 5 <= 4) {
            let name_at = 2 + message.from(2).iter().take(5).take_while(|b| **b & 0x80 != 0).count() + 1;
            return method(message.u8(name_at).map(u32::from), message.from(name_at + 1), facts);
        }
    }
    let begun = here.len() < 12 && (here.u8(0).is_none_or(|b| matches!(b, 0 | 0x80 | 0x82)));
    if begun { Answer::Unsure } else { old_thrift(here, facts) }
}

/// Name, type, sequence number; framed.
fn old_thrift(here: &[u8], facts: &mut Facts) -> Answer {
    let (Some(frame), Some(len)) = (here.be32(0), here.be32(4)) else { return Answer::NotForUs };
    let name = here.part(8, len.min(64) as usize).unwrap_or_default();
    let kind = here.u8(8 + len.min(64) as usize);
    let exact = here.len() == frame as usize + 4;
    if exact && (2..=64).contains(&len) && identifier(name) && matches!(kind, Some(1..=4)) {
        facts.set("method", name);
        return Answer::Certain("thrift", 0.85);
    }
    Answer::NotForUs
}

fn identifier(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

fn method(len: Option<u32>, text: &[u8], facts: &mut Facts) -> Answer {
    let Some(len) = len else { return Answer::Unsure };
    let name = text.first_of(len.min(128) as usize);
    if len > 128 || !identifier(name) {
        return Answer::NotForUs;
    }
    facts.set("method", name);
    Answer::Certain("thrift", 0.97)
}

/// Version 1, record type, request, lengths; the first record begins a request of a known role.
fn fastcgi(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(version), Some(kind)) = (here.u8(0), here.u8(1)) else { return Answer::Unsure };
    if version != 1 || !matches!(kind, 1..=11) {
        return Answer::NotForUs;
    }
    let (Some(len), Some(padding), Some(reserved)) = (here.be16(4), here.u8(6), here.u8(7)) else {
        return Answer::Unsure;
    };
    if reserved != 0 {
        return Answer::NotForUs;
    }
    let begins = kind == 1
        && len == 8
        && here.be16(8).is_some_and(|r| (1..=3).contains(&r))
        && here.part(11, 5).is_some_and(|z| z.iter().all(|b| *b == 0));
    let next = here.from(8 + usize::from(len) + usize::from(padding));
    let follows = next.u8(0) == Some(1) && matches!(next.u8(1), Some(1..=11)) && next.u8(7) == Some(0);
    if begins {
        if let Some(at) = here.find(b"REQUEST_URI", 4096) {
            facts.set("path", here.from(at + 11).split(|b| *b < b' ').next().unwrap_or_default());
        }
        return Answer::Certain("fastcgi", 0.97);
    }
    match kind {
        5..=7 if follows => Answer::Certain("fastcgi", 0.93),
        6 if here.from(8).begins_like(b"Status:")
            || here.from(8).begins_like(b"Content-type:")
            || here.from(8).begins_like(b"X-Powered-By:") =>
        {
            Answer::Certain("fastcgi", 0.95)
        }
        1 if here.len() < 16 => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// Magic of either direction, length, code.
fn ajp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(magic), Some(len), Some(code)) = (here.be16(0), here.be16(2), here.u8(4)) else {
        return if here.is_empty() || here.starts_with(&[0x12]) || here.starts_with(b"A") {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    };
    let sized = (1..=16_384).contains(&len);
    match (magic, code) {
        (0x1234, 2) if sized && here.u8(5).is_none_or(|m| m <= 28 || m == 0xff) => Answer::Certain("ajp", 0.97),
        (0x1234, 7 | 8 | 10) if len == 1 => Answer::Certain("ajp", 0.97),
        (0x4142, 3..=6 | 9) if sized => Answer::Certain("ajp", 0.93),
        _ => Answer::NotForUs,
    }
}

/// An object with a method or a result; OVSDB by its methods (RFC 7047 4.1), mining by Stratum's.
fn json(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let text = here.first_of(1024);
    if !text.starts_with(b"{") {
        return if here.is_empty() { Answer::Unsure } else { Answer::NotForUs };
    }
    if !is_text(text.first_of(64)) {
        return Answer::NotForUs;
    }
    let has = |what: &[u8]| text.find(what, text.len()).is_some();
    if let Some(at) = text.find(b"\"method\"", text.len()) {
        facts.set("method", text.from(at + 8).split(|b| *b == b'"').nth(1).unwrap_or_default());
    }
    let database = [
        &b"get_schema"[..],
        b"list_dbs",
        b"monitor",
        b"transact",
        b"\"echo\"",
        b"set_db_change_aware",
        b"monitor_cond",
        b"update2",
        b"update3",
        b"Open_vSwitch",
        b"\"steal\"",
    ];
    let mining = [&b"mining."[..], b"eth_submit", b"eth_getWork", b"\"jobid\"", b"\"job_id\""];
    let called = has(b"\"method\"") && (has(b"\"params\"") || has(b"\"id\""));
    let answered = has(b"\"result\"") && has(b"\"id\"") && has(b"\"error\"");
    match () {
        () if called && mining.iter().any(|m| has(m)) => Answer::Certain("stratum", 0.95),
        () if called && has(b"\"jsonrpc\"") => Answer::Certain("json-rpc", 0.97),
        () if (called || answered) && database.iter().any(|m| has(m)) => Answer::Certain("ovsdb", 0.95),
        () if called => Answer::SoFar("json-rpc", 0.85),
        () if answered => Answer::SoFar("json-rpc", 0.85),
        () if has(b"\"jsonrpc\"") => Answer::Certain("json-rpc", 0.95),
        () if here.len() < 1024 => Answer::Unsure,
        () => Answer::NotForUs,
    }
}

/// Version, type, length, in a chain to the end; HELLO first.
fn openflow(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (mut at, mut count) = (0, 0);
    while let (Some(version), Some(kind), Some(len)) = (here.u8(at), here.u8(at + 1), here.be16(at + 2)) {
        let first = count == 0 && look.from_start;
        let fits = (1..=6).contains(&version) && kind <= 35 && len >= 8 && (!first || kind == 0 && len <= 64);
        if !fits {
            return Answer::NotForUs;
        }
        at += usize::from(len);
        count += 1;
        if count > 16 {
            break;
        }
    }
    let exact = at == here.len();
    match (look.from_start, count) {
        (true, 1..) if exact && (here.len() == 8 || here.be16(8) == Some(1) || count > 1) => {
            Answer::Certain("openflow", 0.9)
        }
        (false, 2..) if exact => Answer::Certain("openflow", 0.85),
        (false, 1) if exact && here.u8(0).is_some_and(|v| matches!(v, 1 | 4 | 5 | 6)) => {
            Answer::Certain("openflow", 0.6)
        }
        (_, 0) if here.len() < 4 && here.u8(0).is_none_or(|v| v <= 6) => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn openings() {
        assert_eq!(named(Over::TCP, 9, 1, b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0"), Some("dcerpc"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04ping\0\0\0\x01\0"), Some("thrift"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"), Some("fastcgi"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x12\x34\0\x01\x0a"), Some("ajp"));
        assert_eq!(
            named(Over::TCP, 9, 1, b"{\"method\":\"get_schema\",\"params\":[\"Open_vSwitch\"],\"id\":0}"),
            Some("ovsdb")
        );
        assert_eq!(named(Over::TCP, 9, 1, b"{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":0}"), Some("json-rpc"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x04\0\0\x10\0\0\0\x01\0\x01\0\x08\0\0\0\x10"), Some("openflow"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x05\0\x0b\x03\x99\0\0\0\x48\0\0\0"), None);
    }
}
