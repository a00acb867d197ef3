//! Relational databases: MySQL, PostgreSQL, TDS (SQL Server), Oracle Net, DRDA (DB2), ClickHouse's native protocol.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "mysql",
        "MySQL and MariaDB",
        Group::Database,
        Over::TCP,
        &[3306],
        "MySQL Internals: client/server protocol",
        mysql,
    ),
    Protocol::new(
        "postgresql",
        "PostgreSQL",
        Group::Database,
        Over::TCP,
        &[5432],
        "PostgreSQL protocol 3.0",
        postgresql,
    ),
    Protocol::new("tds", "Tabular Data Stream (SQL Server)", Group::Database, Over::TCP, &[1433], "MS-TDS", |l, _| {
        tds(l)
    }),
    Protocol::new("oracle", "Oracle Net", Group::Database, Over::TCP, &[1521], "wireshark packet-tns.c", |l, _| {
        oracle(l)
    }),
    Protocol::new(
        "drda",
        "DRDA (DB2)",
        Group::Database,
        Over::TCP,
        &[50000, 446],
        "DRDA version 5 volume 3",
        |l, _| drda(l),
    ),
    Protocol::new(
        "clickhouse",
        "ClickHouse native protocol",
        Group::Database,
        Over::TCP,
        &[9000, 9440],
        "ClickHouse src/Core/Protocol.h",
        clickhouse,
    ),
];

/// A packet: length in three bytes, sequence number; the server greets by protocol version 10 and its own version.
fn mysql(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(len), Some(seq)) = (here.le24(0), here.u8(3)) else { return Answer::Unsure };
    let body = here.from(4).first_of(len as usize);
    if len == 0 || len > 1 << 20 {
        return Answer::NotForUs;
    }
    if seq == 0 && body.u8(0) == Some(10) && here.len() >= 8 {
        let end = body.first_of(80).iter().position(|b| *b == 0).unwrap_or(0);
        let version = body.from(1).first_of(end.saturating_sub(1));
        if version.first().is_some_and(u8::is_ascii_digit) && is_text(version) && version.contains(&b'.') {
            facts.set("server_version", version);
            return Answer::Certain("mysql", 0.99);
        }
        return Answer::NotForUs;
    }
    let exact = here.len() == len as usize + 4;
    if seq == 1 && len >= 32 && login(body) {
        return Answer::Certain("mysql", 0.9);
    }
    if exact && seq == 0 {
        return command(look, body);
    }
    let reply = exact
        && seq == 1
        && (body.starts_with(&[0, 0, 0, 2, 0]) || body.u8(0) == Some(0xff) && body.u8(3) == Some(b'#'));
    if reply { Answer::Certain("mysql", 0.75) } else { result(here, len as usize, seq, look) }
}

/// HandshakeResponse41: capabilities with protocol 4.1, packet size, character set, 23 zero bytes.
fn login(body: &[u8]) -> bool {
    let capabilities = body.le32(0).unwrap_or(0);
    let zeros = body.part(9, 19).is_some_and(|z| z.iter().all(|b| *b == 0));
    capabilities & 0x0200 != 0 && body.le32(4).is_some_and(|m| (1 << 10..=1 << 30).contains(&m)) && zeros
}

/// COM_QUERY and COM_STMT_PREPARE carry a statement; COM_INIT_DB, COM_PING, COM_QUIT are short.
fn command(look: &Look<'_>, body: &[u8]) -> Answer {
    let text = body.from(1);
    let verbs: [&[u8]; 14] = [
        b"select",
        b"insert",
        b"update",
        b"delete",
        b"set ",
        b"show",
        b"begin",
        b"commit",
        b"create",
        b"drop",
        b"use ",
        b"alter",
        b"replace",
        b"start tr",
    ];
    match body.u8(0) {
        Some(3 | 22) if verbs.iter().any(|v| text.begins_like(v)) => Answer::Certain("mysql", 0.95),
        Some(14 | 1) if body.len() == 1 && !look.from_start => Answer::Certain("mysql", 0.6),
        _ => Answer::NotForUs,
    }
}

/// A result set in the middle: packets numbered upwards.
fn result(here: &[u8], len: usize, seq: u8, look: &Look<'_>) -> Answer {
    let (mut at, mut expected, mut count) = (len + 4, seq.wrapping_add(1), 1);
    while let (Some(len), Some(seq)) = (here.le24(at), here.u8(at + 3)) {
        if len == 0 || seq != expected || count > 16 {
            break;
        }
        at += 4 + len as usize;
        expected = seq.wrapping_add(1);
        count += 1;
    }
    if count >= 3 && seq == 1 && at == here.len() && here.from(4).len() > 5 {
        return Answer::Certain("mysql", 0.9);
    }
    if look.from_start && seq <= 1 && here.len() < len + 4 && len < 4096 { Answer::Unsure } else { Answer::NotForUs }
}

fn postgresql(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if let (Some(len), Some(code)) = (here.be32(0), here.be32(4)) {
        let name = match code {
            0x0003_0000..=0x0003_0002 if (9..=10_000).contains(&len) => startup(here.from(8), facts),
            80_877_102 => len == 16,
            80_877_103 | 80_877_104 => len == 8,
            _ => false,
        };
        if name {
            return Answer::Certain("postgresql", 0.98);
        }
    }
    // The one-byte answer to a request for encryption, then encryption or authentication.
    if look.from_start && matches!(here.u8(0), Some(b'S' | b'N' | b'G')) {
        if here.len() == 1 && look.there.is_empty() {
            return Answer::Unsure;
        }
        let ciphered = here.has(1, &[0x16, 3]) && here.u8(6) == Some(2);
        let asks = here.has(1, b"R\0\0\0") && here.be32(6).is_some_and(|kind| kind <= 12);
        if ciphered || asks {
            return Answer::Certain("postgresql", 0.95);
        }
    }
    if matches!(here, b"S" | b"N") && look.there.be32(4).is_some_and(|c| matches!(c, 80_877_103 | 80_877_104)) {
        return Answer::Certain("postgresql", 1.0);
    }
    messages(look)
}

fn startup(text: &[u8], facts: &mut Facts) -> bool {
    let mut fields = text.split(|b| *b == 0);
    let mut user = false;
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match name {
            b"user" => {
                user = true;
                facts.set("user", value);
            }
            b"database" => facts.set("database", value),
            b"application_name" => facts.set("application", value),
            _ => {}
        }
    }
    user || text.is_empty()
}

/// Messages of a type letter and a length, in a chain to the end.
fn messages(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (mut at, mut count) = (0, 0);
    while let (Some(kind), Some(len)) = (here.u8(at), here.be32(at + 1)) {
        let known = b"RSKZTDCENQPBXHFfdcpA123stnIGWVv".contains(&kind);
        if !known || !(4..1 << 24).contains(&len) {
            return Answer::NotForUs;
        }
        if kind == b'R' && len >= 8 && here.be32(at + 5).is_some_and(|c| c <= 12) && at == 0 && look.from_start {
            return Answer::Certain("postgresql", 0.95);
        }
        if kind == b'E' && here.has(at + 5, b"SFATAL\0") || here.has(at + 5, b"SERROR\0") {
            return Answer::Certain("postgresql", 0.97);
        }
        let statement = here.from(at + 5);
        let end = (len as usize).checked_sub(5);
        let complete = end.and_then(|end| statement.u8(end)) == Some(0);
        if kind == b'Q' && len > 8 && complete && is_text(statement.first_of(6)) {
            return Answer::Certain("postgresql", 0.93);
        }
        at += 1 + len as usize;
        count += 1;
    }
    let ready = here.len() >= 6 && here.has(here.len() - 6, b"Z\0\0\0\x05");
    match count {
        2.. if at == here.len() && ready => Answer::Certain("postgresql", 0.96),
        3.. if at == here.len() && !look.from_start => Answer::Certain("postgresql", 0.9),
        1 if at == here.len() && ready => Answer::Certain("postgresql", 0.9),
        1 if here == b"X\0\0\0\x04" => Answer::Certain("postgresql", 0.7),
        0 if here.len() < 8 && here.u8(0).is_none_or(|b| b == 0) => Answer::Unsure,
        1 if look.from_start && here.len() < 64 => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// A packet: type, status, length, channel, number, window 0; pre-login names its options.
fn tds(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(kind), Some(status), Some(len)) = (here.u8(0), here.u8(1), here.be16(2)) else {
        return if here.first().is_none_or(|k| matches!(k, 1..=18)) { Answer::Unsure } else { Answer::NotForUs };
    };
    let window = here.u8(7);
    if !matches!(kind, 1..=4 | 6 | 7 | 14 | 16..=18) || status > 0x19 || len < 8 || window.is_some_and(|w| w != 0) {
        return Answer::NotForUs;
    }
    if window.is_none() {
        return Answer::Unsure;
    }
    let exact = here.len() == usize::from(len);
    let confidence = match kind {
        18 if here.u8(8) == Some(0) && here.be16(9).is_some_and(|o| (6..=64).contains(&o)) => 0.96,
        16 if here.le32(8) == Some(u32::from(len) - 8) => 0.96,
        4 if here.u8(8) == Some(0) && here.be16(9).is_some_and(|o| (6..=64).contains(&o)) && look.from_start => 0.93,
        4 if exact
            && status & 1 == 1
            && matches!(here.u8(8), Some(0x81 | 0xa4 | 0xaa | 0xab | 0xad | 0xe3 | 0xfd | 0xfe | 0xff | 0x79)) =>
        {
            0.85
        }
        3 if exact && status & 1 == 1 && procedure(here.from(8)) => 0.93,
        1 | 3 if exact && status & 1 == 1 && here.le32(8) == Some(22) && here.le32(12) == Some(18) => 0.95,
        1 if exact && here.from(9).chunks(2).take(8).all(|c| c.len() < 2 || c[1] == 0) && here.len() > 24 => 0.85,
        _ if look.tcp() && matches!(kind, 1 | 3 | 4) && here.len() < usize::from(len) => return Answer::Unsure,
        _ => return Answer::NotForUs,
    };
    Answer::Certain("tds", confidence)
}

/// A remote procedure: the length of its name in two bytes a letter, or FFFF and a number.
fn procedure(body: &[u8]) -> bool {
    match body.le16(0) {
        Some(u16::MAX) => body.le16(2).is_some_and(|id| (1..=15).contains(&id)),
        Some(len @ 2..=128) => body
            .part(2, 2 * usize::from(len))
            .is_some_and(|name| name.chunks_exact(2).all(|c| c[0].is_ascii_graphic() && c[1] == 0)),
        _ => false,
    }
}

/// TNS: length, checksum 0, type, reserved, header checksum 0; a connect packet carries its description in text.
fn oracle(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(len), Some(sum), Some(kind), Some(head)) = (here.be16(0), here.be16(2), here.u8(4), here.be16(6)) else {
        return if here.first().is_none_or(|b| *b < 16) { Answer::Unsure } else { Answer::NotForUs };
    };
    let sized = usize::from(len) >= 8 && (here.len() >= usize::from(len) || here.len() > 200);
    if sum != 0 || head != 0 || !sized || !matches!(kind, 1..=15) {
        return Answer::NotForUs;
    }
    let described = here.find(b"(DESCRIPTION=", 600).is_some() || here.find(b"(CONNECT_DATA=", 600).is_some();
    let version = here.be16(8).is_some_and(|v| (300..=400).contains(&v));
    match kind {
        1 if described => Answer::Certain("oracle", 0.99),
        1 | 2 if version => Answer::Certain("oracle", 0.93),
        5 | 4 if here.find(b"(DESCRIPTION=", 600).is_some() || here.find(b"(ERR", 600).is_some() => {
            Answer::Certain("oracle", 0.97)
        }
        6 if usize::from(len) == here.len() => Answer::Certain("oracle", 0.7),
        11 if len == 8 => Answer::Certain("oracle", 0.7),
        _ => Answer::NotForUs,
    }
}

/// A data stream structure: length, magic D0, format, correlator, length again, code point.
fn drda(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(len), Some(magic), Some(format)) = (here.be16(0), here.u8(2), here.u8(3)) else { return Answer::Unsure };
    if magic != 0xd0 || !matches!(format & 15, 1..=5) || len < 10 {
        return Answer::NotForUs;
    }
    match here.be16(6) {
        Some(inner) if inner == len - 6 => Answer::Certain("drda", 0.97),
        None => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// Hello of either side: packet type 0, a name by its length.
fn clickhouse(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let name = here.part(2, usize::from(here.u8(1).unwrap_or(0))).unwrap_or_default();
    if here.u8(0) == Some(0) && name.starts_with(b"ClickHouse") {
        facts.set("application", name);
        return Answer::Certain("clickhouse", 1.0);
    }
    // Data blocks begin by a type, an empty table name and the block's information fields.
    let block = matches!(here.u8(0), Some(1 | 2))
        && (here.has(1, &[0, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0])
            || here.has(1, &[0, 1, 1, 2, 0xff, 0xff, 0xff, 0xff, 0]));
    if block {
        return Answer::Certain("clickhouse", 0.97);
    }
    let exception = here.u8(0) == Some(2) && here.find(b"DB::Exception", 64).is_some();
    if exception {
        return Answer::Certain("clickhouse", 0.97);
    }
    let query = here.u8(0) == Some(1)
        && here.u8(1) == Some(36)
        && here.part(2, 36).is_some_and(|id| id.u8(8) == Some(b'-') && is_text(id));
    if query {
        return Answer::Certain("clickhouse", 0.9);
    }
    if here.len() < 12 && here.u8(0).is_none_or(|b| b == 0) { Answer::Unsure } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn mysql_greets() {
        let label = feed(Over::TCP, 9, 1, &[(false, b"\x4a\0\0\0\x0a8.0.33\0\x08\0\0\0abcdefgh\0")]);
        assert_eq!(label.named.unwrap().name, "mysql");
        assert!(label.attrs.unwrap().contains(&("server_version", "8.0.33".to_owned())));
        assert_eq!(named(Over::TCP, 9, 3306, b"\x4a\0\0\0\x0anot a version\0"), None);
    }

    #[test]
    fn postgresql_starts() {
        let start = b"\0\0\0\x1c\0\x03\0\0user\0bob\0database\0x\0\0";
        assert_eq!(named(Over::TCP, 9, 1, start), Some("postgresql"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\0\x08\x04\xd2\x16\x2f"), Some("postgresql"));
        assert_eq!(named(Over::TCP, 9, 1, b"Q\0\0\0\x0dselect 1\0"), Some("postgresql"));
        assert_eq!(named(Over::TCP, 9, 5432, b"Q\0\0\0\x0d\0\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn others() {
        let prelogin = b"\x12\x01\0\x2f\0\0\x01\0\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\x21\0\x01\x03\0\x22\0\x04\x04\0\x26\0\x01\xff\x09\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(named(Over::TCP, 9, 1, prelogin), Some("tds"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\x24\xd0\x41\0\x01\0\x1e\x10\x41\0\0"), Some("drda"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\x18ClickHouse client\0\0\0\0\0\0\0"), Some("clickhouse"));
        let mut connect = b"\0\x50\0\0\x01\0\0\0\x01\x3a\x01\x2c\0\0".to_vec();
        connect.extend([0; 40]);
        connect.extend(b"(DESCRIPTION=(CONNECT_DATA");
        assert_eq!(named(Over::TCP, 9, 1, &connect), Some("oracle"));
    }
}
