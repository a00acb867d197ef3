//! Key-value and document stores: Redis, Memcached, MongoDB, Cassandra, ZooKeeper, Raft.

use crate::dpi::bytes::{Bytes, decimal, is_text, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "redis",
        "Redis and Valkey (RESP)",
        Group::Database,
        Over::TCP,
        &[6379, 26379],
        "RESP specification",
        |l, _| redis(l),
    ),
    Protocol::new(
        "memcached",
        "Memcached, text and binary",
        Group::Database,
        Over::BOTH,
        &[11211],
        "memcached doc/protocol.txt",
        |l, _| memcached(l),
    )
    .datagrams(8, ANY),
    Protocol::new("mongodb", "MongoDB", Group::Database, Over::TCP, &[27017], "MongoDB wire protocol", |l, _| {
        mongodb(l)
    }),
    Protocol::new(
        "cassandra",
        "Cassandra (CQL)",
        Group::Database,
        Over::TCP,
        &[9042],
        "CQL binary protocol 3 to 5",
        |l, _| cassandra(l),
    ),
    Protocol::new(
        "elasticsearch",
        "Elasticsearch and OpenSearch transport",
        Group::Database,
        Over::TCP,
        &[9300],
        "elasticsearch TcpHeader",
        |l, _| elasticsearch(l),
    ),
    Protocol::new(
        "zookeeper",
        "ZooKeeper",
        Group::Database,
        Over::TCP,
        &[2181, 2888, 3888],
        "zookeeper.jute",
        zookeeper,
    ),
    Protocol::new(
        "raft",
        "Raft of dqlite and cowsql",
        Group::Database,
        Over::TCP,
        &[9001],
        "canonical/raft src/uv_encoding.c",
        |l, _| raft(l),
    ),
];

/// A line of RESP: its type, then a number or text.
fn redis(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(kind) = here.u8(0) else { return Answer::Unsure };
    if !look.from_start && bulk_strings(here) {
        return Answer::Certain("redis", 0.93);
    }
    if !b"*$+-:%~>_,#(=".contains(&kind) {
        return inline(look);
    }
    let Some(line) = here.line(512) else {
        return if here.len() < 512 && is_text(here) { Answer::Unsure } else { Answer::NotForUs };
    };
    if !here.has(line.len(), b"\r\n") {
        return Answer::NotForUs;
    }
    let rest = line.from(1);
    let next = here.from(line.len() + 2);
    let number = decimal(rest);
    match kind {
        b'*' | b'%' | b'~' | b'>' if number.is_some() => match next.first() {
            Some(b'$' | b'*' | b':' | b'+' | b'-' | b'%' | b'_' | b'#' | b',') => Answer::Certain("redis", 0.97),
            None if look.from_start && number != Some(0) => Answer::Unsure,
            None => Answer::Certain("redis", 0.7),
            _ => Answer::NotForUs,
        },
        b'$' if rest == b"-1" => Answer::Certain("redis", 0.85),
        b'$' if number.is_some_and(|n| next.len() as u64 >= n && next.has(n as usize, b"\r\n")) => {
            Answer::Certain("redis", 0.93)
        }
        b'$' if number.is_some_and(|n| n > next.len() as u64 && n < 1 << 29) => Answer::Certain("redis", 0.7),
        b':' if number.is_some() => Answer::Certain("redis", 0.75),
        b'+' if matches!(rest, b"PONG" | b"QUEUED" | b"CONTINUE") || rest.starts_with(b"FULLRESYNC ") => {
            Answer::Certain("redis", 0.93)
        }
        // POP3 answers so too: only with a command of the client, or at the port.
        b'+' if rest == b"OK" && (look.port(6379) || look.there.starts_with(b"*")) => Answer::Certain("redis", 0.7),
        b'+' if rest == b"OK" => Answer::Unsure,
        b'-' if rest.starts_with(b"ERR ") && !look.port(6379) && !look.there.starts_with(b"*") => Answer::Unsure,
        b'-' if errors().iter().any(|e| rest.starts_with(e)) => Answer::Certain("redis", 0.9),
        _ => Answer::NotForUs,
    }
}

/// Two bulk strings in a row, each as long as it says, somewhere in a reply joined in its middle.
fn bulk_strings(here: &[u8]) -> bool {
    let begins = memchr::memmem::find_iter(here.first_of(2048), b"\r\n$").take(16);
    let end = |at: usize| {
        let line = here.from(at + 1).line(12)?;
        let next = at + 1 + line.len() + 2 + usize::try_from(decimal(line)?).ok()?;
        here.has(next, b"\r\n").then_some(next + 2)
    };
    begins.filter_map(|at| end(at + 2)).any(|at| here.u8(at) == Some(b'$') && end(at).is_some())
}

fn errors() -> [&'static [u8]; 8] {
    [b"ERR ", b"NOAUTH ", b"WRONGTYPE ", b"MOVED ", b"ASK ", b"LOADING ", b"READONLY ", b"WRONGPASS "]
}

fn inline(look: &Look<'_>) -> Answer {
    let known =
        look.here.begins_like(b"PING\r\n") || look.here.begins_like(b"PSYNC ") || look.here.begins_like(b"REPLCONF ");
    if known && !look.there.starts_with(b"INFO ") { Answer::Certain("redis", 0.7) } else { Answer::NotForUs }
}

fn memcached(look: &Look<'_>) -> Answer {
    let mut here = look.here;
    if look.udp() {
        // Frame header: request, sequence number, datagrams, reserved.
        let count = here.be16(4).unwrap_or(0);
        if count == 0 || count > 64 || here.be16(6) != Some(0) || here.be16(2).is_none_or(|s| s >= count) {
            return Answer::NotForUs;
        }
        here = here.from(8);
    }
    if let Some(answer) = binary(here) {
        return answer;
    }
    let Some(line) = here.line(512) else {
        return if look.tcp() && here.len() < 64 && is_text(here) { Answer::Unsure } else { Answer::NotForUs };
    };
    let parts: Vec<&[u8]> = words(line).take(8).collect();
    let number = |i: usize| parts.get(i).is_some_and(|w: &&[u8]| decimal(w).is_some());
    if !here.has(line.len(), b"\r\n") || !is_text(line) {
        return Answer::NotForUs;
    }
    let confidence = match parts.first().copied().unwrap_or_default() {
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas"
            if parts.len() >= 5 && number(2) && number(4) =>
        {
            0.95
        }
        b"VALUE" if parts.len() >= 4 && number(2) && number(3) => 0.95,
        b"STAT" if parts.len() >= 3 => 0.95,
        b"get" | b"gets" if parts.len() >= 2 => 0.7,
        b"incr" | b"decr" | b"touch" if number(2) => 0.85,
        b"stats" | b"version" | b"flush_all" | b"END" | b"STORED" | b"NOT_STORED" | b"DELETED" | b"NOT_FOUND"
        | b"EXISTS" | b"TOUCHED" | b"mn" | b"MN" => 0.75,
        b"VERSION" if parts.get(1).is_some_and(|v: &&[u8]| v.first().is_some_and(u8::is_ascii_digit)) => 0.9,
        b"delete" if parts.len() == 2 => 0.7,
        b"mg" | b"ms" | b"md" | b"HD" | b"EN" => 0.7,
        _ => return Answer::NotForUs,
    };
    Answer::Certain("memcached", confidence)
}

/// Magic, operation, lengths that agree, data type 0.
fn binary(here: &[u8]) -> Option<Answer> {
    let (magic, operation) = (here.u8(0)?, here.u8(1)?);
    if !matches!(magic, 0x80 | 0x81) || operation > 0x48 {
        return None;
    }
    let (key, extras, kind, body) = (here.be16(2)?, here.u8(4)?, here.u8(5)?, here.be32(8)?);
    let sized = u32::from(key) + u32::from(extras) <= body && body < 1 << 24;
    let exact = here.len() as u64 == 24 + u64::from(body) || here.u8(24 + body as usize) == Some(magic);
    Some(if kind == 0 && sized && exact && extras <= 24 { Answer::Certain("memcached", 0.9) } else { Answer::NotForUs })
}

/// Length, request, answered request, operation; OP_MSG holds a section of kind 0 and a document.
fn mongodb(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(len), Some(operation)) = (here.le32(0), here.le32(12)) else {
        return if here.le32(0).is_none_or(|l| (16..48 << 20).contains(&l)) {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    };
    let fits = (16..48 << 20).contains(&len) && (here.len() <= len as usize || look.tcp());
    let document = |at: usize| here.le32(at).is_some_and(|d| d >= 5 && d <= len);
    let good = match operation {
        2013 => {
            here.le32(16).is_some_and(|flags| flags & 0xfffe_fffc == 0)
                && here.u8(20).is_some_and(|kind| kind <= 1)
                && document(21)
        }
        2012 => here.le32(16).is_some_and(|op| matches!(op, 1 | 2004 | 2010..=2013)),
        1 => here.le32(28).is_some_and(|n| n < 1 << 20) && (here.le32(32) == Some(0) || document(36)),
        2001 | 2002 | 2004..=2007 | 2010 | 2011 => here.le32(16).is_some_and(|flags| flags < 256),
        _ => false,
    };
    if fits && good { Answer::Certain("mongodb", 0.97) } else { Answer::NotForUs }
}

/// A frame: version and direction, flags, stream, operation, length.
fn cassandra(look: &Look<'_>) -> Answer {
    let here = look.here;
    // Between nodes: MessagingService.PROTOCOL_MAGIC.
    if look.from_start && here.be32(0) == Some(0xca55_2dfa) {
        return Answer::Certain("cassandra", 0.98);
    }
    if look.from_start && here.len() < 4 && [0xca, 0x55, 0x2d].starts_with(here) {
        return Answer::Unsure;
    }
    let (Some(version), Some(flags)) = (here.u8(0), here.u8(1)) else { return Answer::Unsure };
    let (number, response) = (version & 0x7f, version & 0x80 != 0);
    if !matches!(number, 1..=5) || flags & 0xe0 != 0 {
        return Answer::NotForUs;
    }
    let at = if number < 3 { 3 } else { 4 };
    let (Some(operation), Some(len)) = (here.u8(at), here.be32(at + 1)) else { return Answer::Unsure };
    let body = here.from(at + 5);
    let sized = len < 256 << 20;
    let confidence = match (operation, response) {
        (1, false) if body.find(b"CQL_VERSION", 64).is_some() => 0.99,
        (5, false) if len == 0 && here.len() == at + 5 => 0.85,
        (6, true) if body.find(b"CQL_VERSION", 256).is_some() || body.find(b"COMPRESSION", 256).is_some() => 0.99,
        (2, true) if len == 0 && here.len() == at + 5 => 0.85,
        (7 | 9, false)
            if body.be32(0).is_some_and(|q| q < len) && is_text(body.from(4).first_of(8)) && body.len() > 12 =>
        {
            0.93
        }
        (8, true) if body.be32(0).is_some_and(|kind| (1..=5).contains(&kind)) => 0.85,
        (0, true) if cassandra_error(body, len) => 0.8,
        (3 | 14 | 15 | 16 | 10 | 11 | 13 | 12, _) if here.len() == at + 5 + len as usize => 0.7,
        _ => return Answer::NotForUs,
    };
    if sized { Answer::Certain("cassandra", confidence) } else { Answer::NotForUs }
}

/// A code and words to it.
fn cassandra_error(body: &[u8], len: u32) -> bool {
    let words = body.from(6).first_of(8);
    body.be32(0).is_some_and(|code| code < 0x3000)
        && body.be16(4).is_some_and(|n| n > 0 && u32::from(n) + 6 <= len)
        && !words.is_empty()
        && is_text(words)
}

/// `ES`, a length, a request, status bits, a version; or a ping without content.
fn elasticsearch(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.len() < 6 || !here.starts_with(b"ES") {
        return if here.len() < 6 && b"ES".starts_with(here.first_of(2)) { Answer::Unsure } else { Answer::NotForUs };
    }
    match (here.be32(2), here.u8(14)) {
        (Some(u32::MAX), _) => Answer::Certain("elasticsearch", 0.95),
        (Some(13..=0x7fff_ffff), Some(status)) if status < 16 && here.be64(6).is_some_and(|id| id < 1 << 48) => {
            Answer::Certain("elasticsearch", 0.96)
        }
        (_, None) => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// ConnectRequest and ConnectResponse by their lengths and fields; four-letter words; pings in the middle.
fn zookeeper(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() <= 6
        && [&b"ruok"[..], b"srvr", b"stat", b"mntr", b"conf", b"envi", b"cons", b"isro"]
            .contains(&here.trim_ascii_end())
    {
        return Answer::Certain("zookeeper", 0.85);
    }
    if here == b"imok" || here.starts_with(b"Zookeeper version: ") {
        return Answer::Certain("zookeeper", 0.97);
    }
    let Some(len) = here.be32(0) else {
        return if here.len() < 4 && here.first().is_none_or(|b| *b == 0) { Answer::Unsure } else { Answer::NotForUs };
    };
    let exact = here.len() == len as usize + 4;
    if look.from_start && matches!(len, 44 | 45 | 36 | 37) {
        let request =
            len >= 44 && here.be32(16).is_some_and(|t| (100..=10_000_000).contains(&t)) && here.be32(28) == Some(16);
        let response = len < 40 && here.be32(8).is_some_and(|t| t <= 10_000_000) && here.be32(20) == Some(16);
        if here.be32(4) == Some(0) && exact && (request || response) {
            facts.note("session_timeout_ms", here.be32(if request { 16 } else { 8 }).unwrap_or(0).to_string());
            return Answer::Certain("zookeeper", 0.96);
        }
    }
    // Ping and its answer: transaction -2, type 11.
    let ping = here.be32(4) == Some(u32::MAX - 1) && (len == 8 && here.be32(8) == Some(11) || len == 16);
    if exact && ping {
        return Answer::Certain("zookeeper", 0.95);
    }
    if !look.from_start && exact && path_request(here) {
        Answer::Certain("zookeeper", 0.9)
    } else {
        unfinished(look, len)
    }
}

fn unfinished(look: &Look<'_>, len: u32) -> Answer {
    if look.from_start && matches!(len, 44 | 45 | 36 | 37) && look.here.len() < len as usize + 4 {
        Answer::Unsure
    } else {
        Answer::NotForUs
    }
}

/// Transaction, operation, a path.
fn path_request(here: &[u8]) -> bool {
    let operation = here.be32(8).is_some_and(|op| matches!(op, 1..=22 | 100..=107));
    let path = here.be32(12).is_some_and(|n| {
        (1..1024).contains(&n) && here.part(16, n as usize).is_some_and(|p| p.starts_with(b"/") && is_text(p))
    });
    operation && path
}

/// Handshake: protocol 1, the sender's number, its address in words; then messages by type and size.
fn raft(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(version), Some(id), Some(len)) = (here.le64(0), here.le64(8), here.le64(16)) else {
        let begun = here.first().is_none_or(|b| *b == 1) && here.from(1).first_of(7).iter().all(|b| *b == 0);
        return if begun && look.from_start { Answer::Unsure } else { Answer::NotForUs };
    };
    let text = here.from(24).first_of(len.min(64) as usize);
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    let address = text.first_of(end);
    let named = address.len() > 2
        && is_text(address)
        && (address.contains(&b':') || decimal(address).is_some() || address.contains(&b'.'));
    let handshake =
        version == 1 && id != 0 && (4..=64).contains(&len) && (named || address.len() == 1 && address.is_ascii());
    if look.from_start && handshake {
        Answer::Certain("raft", if named { 0.95 } else { 0.85 })
    } else {
        Answer::NotForUs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn redis_in_both_directions() {
        assert_eq!(named(Over::TCP, 9, 1, b"*1\r\n$4\r\nPING\r\n"), Some("redis"));
        assert_eq!(named(Over::TCP, 9, 1, b"+PONG\r\n"), Some("redis"));
        assert_eq!(named(Over::TCP, 9, 1, b"+OK POP3 ready\r\n"), Some("pop3"));
        assert_eq!(named(Over::TCP, 9, 1, b"*x\r\n"), None);
    }

    #[test]
    fn memcached_forms() {
        assert_eq!(named(Over::TCP, 9, 1, b"set k 0 0 5\r\nhello\r\n"), Some("memcached"));
        assert_eq!(named(Over::UDP, 9, 1, b"\0\x01\0\0\0\x01\0\0VALUE k 0 5\r\nhello\r\nEND\r\n"), Some("memcached"));
        let mut get = vec![0x80, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3];
        get.extend([0; 12]);
        get.extend(b"key");
        assert_eq!(named(Over::TCP, 9, 1, &get), Some("memcached"));
        let label = feed(Over::TCP, 9, 1, &[(true, b"get a\r\n"), (false, b"END\r\n"), (true, b"get b\r\n")]);
        assert_eq!(label.named.unwrap().name, "memcached");
    }

    #[test]
    fn documents_and_rows() {
        let mut hello: Vec<u8> = [42_u32, 1, 0, 2013, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
        hello.extend([0, 21, 0, 0, 0]);
        hello.resize(42, 0);
        assert_eq!(named(Over::TCP, 9, 1, &hello), Some("mongodb"));
        assert_eq!(
            named(Over::TCP, 9, 1, b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0"),
            Some("cassandra")
        );
        // An error has words; the 8-byte answers of ucx_perftest have the same first bytes.
        assert_eq!(named(Over::TCP, 9, 1, b"\x84\x03\0\0\0\0\0\0\x58\0\0\0\0\0\0\0"), None);
        let error = b"\x84\0\0\x05\0\0\0\0\x10\0\0\0\x0a\0\x0anot a user";
        assert_eq!(named(Over::TCP, 9, 1, error), Some("cassandra"));
    }

    #[test]
    fn ensembles() {
        let mut connect = vec![0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x75, 0x30];
        connect.extend([0; 8]);
        connect.extend([0, 0, 0, 16]);
        connect.extend([0; 16]);
        assert_eq!(named(Over::TCP, 9, 1, &connect), Some("zookeeper"));
        let mut hello: Vec<u8> = [1_u64, 7, 16].iter().flat_map(|w| w.to_le_bytes()).collect();
        hello.extend(b"127.0.0.1:9001\0\0");
        assert_eq!(named(Over::TCP, 9, 1, &hello), Some("raft"));
    }
}
