//! Message queues and buses: Kafka, AMQP, MQTT, NATS, STOMP, OpenWire, ZMTP, Pulsar, RTPS.

use crate::dpi::bytes::{Bytes, is_text, lines, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "amqp",
        "Advanced Message Queuing Protocol",
        Group::Queue,
        Over::TCP,
        &[5672],
        "AMQP 0-9-1, ISO 19464",
        |l, _| amqp(l),
    ),
    Protocol::new("zmtp", "ZeroMQ", Group::Queue, Over::TCP, &[], "RFC 23/ZMTP", |l, _| zmtp(l)),
    Protocol::new(
        "rtps",
        "DDS Real-Time Publish-Subscribe",
        Group::Queue,
        Over::BOTH,
        &[7400, 7401, 7410, 7411],
        "OMG DDSI-RTPS 2.5",
        |l, _| rtps(l),
    )
    .datagrams(4, &[(0x52, 0x52)]),
    Protocol::new(
        "openwire",
        "ActiveMQ OpenWire",
        Group::Queue,
        Over::TCP,
        &[61616],
        "activemq OpenWire specification",
        |l, _| openwire(l),
    ),
    Protocol::new("nats", "NATS", Group::Queue, Over::TCP, &[4222, 6222], "NATS client protocol", nats),
    Protocol::new("stomp", "STOMP", Group::Queue, Over::TCP, &[61613], "STOMP 1.2", |l, _| stomp(l)),
    Protocol::new("mqtt", "MQTT", Group::Queue, Over::TCP, &[1883], "MQTT 3.1.1 and 5.0", mqtt),
    Protocol::new("pulsar", "Apache Pulsar", Group::Queue, Over::TCP, &[6650], "PulsarApi.proto", |l, _| pulsar(l)),
    Protocol::new("kafka", "Apache Kafka", Group::Queue, Over::TCP, &[9092], "Kafka protocol guide", kafka),
];

/// The protocol header; frames of 0-9-1 end by 0xCE.
fn amqp(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.starts_with(b"AMQP") {
        return if here.u8(4).is_none_or(|id| id <= 3) { Answer::Certain("amqp", 0.99) } else { Answer::NotForUs };
    }
    if b"AMQP".starts_with(here) {
        return Answer::Unsure;
    }
    let (Some(kind), Some(size)) = (here.u8(0), here.be32(3)) else {
        return if here.len() < 7 && here.u8(0).is_none_or(|k| k <= 8) { Answer::Unsure } else { Answer::NotForUs };
    };
    let ended = size < 1 << 20 && here.u8(7 + size as usize) == Some(0xce);
    let method = kind == 1 && here.be16(7).is_some_and(|class| matches!(class, 10 | 20 | 30 | 40 | 50 | 60 | 85 | 90));
    match kind {
        1 if ended && method => Answer::Certain("amqp", 0.97),
        2 | 3 if ended && !look.from_start => Answer::Certain("amqp", 0.85),
        8 if ended && size == 0 => Answer::Certain("amqp", 0.95),
        _ => amqp_1(here, look),
    }
}

/// Frames of 1.0: size, data offset 2, type, channel, then a described performative 0x00 0x53.
fn amqp_1(here: &[u8], look: &Look<'_>) -> Answer {
    let sized = here.be32(0).is_some_and(|s| (8..1 << 24).contains(&s));
    let performative = here.has(8, &[0, 0x53]) && here.u8(10).is_some_and(|p| matches!(p, 0x10..=0x18 | 0x40..=0x44));
    if !look.from_start && sized && here.u8(4) == Some(2) && performative {
        Answer::Certain("amqp", 0.95)
    } else {
        Answer::NotForUs
    }
}

/// Greeting: signature FF, eight bytes, 7F; version 3 names its mechanism. Commands READY and SUBSCRIBE in the middle.
fn zmtp(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.u8(0) == Some(0xff) && here.u8(9) == Some(0x7f) {
        return match here.u8(10) {
            None | Some(0..=3) => Answer::Certain("zmtp", 0.93),
            _ => Answer::NotForUs,
        };
    }
    if here.u8(0) == Some(0xff) && here.len() < 10 && here.from(1).first_of(7).iter().all(|b| *b == 0) {
        return Answer::Unsure;
    }
    let len = usize::from(here.u8(1).unwrap_or(0));
    let ready = here.u8(0) == Some(4)
        && (here.has(2, b"\x05READY") || here.has(2, b"\x04PING") || here.has(2, b"\x09SUBSCRIBE"));
    if ready && len >= 5 { Answer::Certain("zmtp", 0.93) } else { frames(look) }
}

/// Messages in the middle: flags of two bits, a length, to the exact end, several in a row.
fn frames(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (mut at, mut count, mut flagged) = (0, 0, false);
    while !look.from_start && at < here.len() && count < 8 {
        let (Some(flags), Some(len)) = (here.u8(at), here.u8(at + 1)) else { return Answer::NotForUs };
        let (len, head) = match flags {
            0 | 1 => (u64::from(len), 2),
            2 | 3 => (here.be64(at + 1).unwrap_or(0), 9),
            _ => return Answer::NotForUs,
        };
        if len == 0 && flags != 1 || flags >= 2 && !(256..1 << 24).contains(&len) {
            return Answer::NotForUs;
        }
        at = at.saturating_add(head).saturating_add(len as usize);
        count += 1;
        flagged |= flags != 0;
    }
    // Without a flag, a length of two bytes before a message (DNS, OpenVPN) looks the same.
    if count > 0 && at == here.len() && (flagged || count > 2) {
        Answer::Certain("zmtp", if count > 2 { 0.75 } else { 0.6 })
    } else {
        Answer::NotForUs
    }
}

fn rtps(look: &Look<'_>) -> Answer {
    let here = look.here;
    match here.part(0, 4) {
        Some(b"RTPS" | b"RTPX") if here.u8(4).is_none_or(|v| (1..=2).contains(&v)) => Answer::Certain("rtps", 0.99),
        None if look.tcp() && b"RTPS".starts_with(here) => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// WireFormatInfo: length, type 1, magic.
fn openwire(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.u8(4) == Some(1) && here.has(5, b"ActiveMQ") {
        return Answer::Certain("openwire", 1.0);
    }
    let begun = here.len() < 13
        && here.u8(4).is_none_or(|k| k == 1)
        && here.be32(0).is_none_or(|l| l < 1 << 16)
        && b"ActiveMQ".starts_with(here.from(5));
    if begun { Answer::Unsure } else { Answer::NotForUs }
}

fn nats(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let known = [
        &b"INFO {"[..],
        b"CONNECT {",
        b"PUB ",
        b"SUB ",
        b"MSG ",
        b"HPUB ",
        b"HMSG ",
        b"UNSUB ",
        b"RS+ ",
        b"RS- ",
        b"RMSG ",
        b"A+ ",
        b"LS+ ",
    ];
    let Some(word) = known.iter().find(|k| here.starts_with(k) || k.starts_with(here)) else {
        let control = matches!(here, b"PING\r\n" | b"PONG\r\n") || here.starts_with(b"-ERR '");
        return if control { Answer::Certain("nats", 0.7) } else { Answer::NotForUs };
    };
    if here.len() < word.len() {
        return Answer::Unsure;
    }
    let Some(line) = here.line(4096) else {
        return if here.starts_with(b"INFO {\"") || here.starts_with(b"CONNECT {\"") {
            Answer::Certain("nats", 0.93)
        } else {
            Answer::Unsure
        };
    };
    let count = words(line).count();
    let last_is_number = words(line).last().is_some_and(|w| w.iter().all(u8::is_ascii_digit));
    let good = match line.split(|b| *b == b' ').next() {
        Some(b"INFO" | b"CONNECT") => {
            facts.set("server_info", line.first_of(120));
            line.ends_with(b"}") || line.trim_ascii_end().ends_with(b"}")
        }
        Some(b"PUB" | b"MSG" | b"HPUB" | b"HMSG" | b"RMSG") => (3..=6).contains(&count) && last_is_number,
        Some(b"SUB") => (3..=4).contains(&count),
        _ => is_text(line) && count >= 2,
    };
    if good { Answer::Certain("nats", 0.93) } else { Answer::NotForUs }
}

/// A command, headers `name:value`, an empty line, a body ended by NUL.
fn stomp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let commands = [
        &b"CONNECT"[..],
        b"STOMP",
        b"CONNECTED",
        b"SEND",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"MESSAGE",
        b"RECEIPT",
        b"ERROR",
        b"ACK",
        b"NACK",
        b"BEGIN",
        b"COMMIT",
        b"ABORT",
        b"DISCONNECT",
    ];
    let Some(line) = here.line(64) else {
        return if commands.iter().any(|c| c.starts_with(here)) { Answer::Unsure } else { Answer::NotForUs };
    };
    if !commands.contains(&line) {
        return Answer::NotForUs;
    }
    let known = [
        &b"accept-version:"[..],
        b"version:",
        b"destination:",
        b"message-id:",
        b"receipt",
        b"host:",
        b"login:",
        b"heart-beat:",
        b"subscription:",
        b"id:",
        b"content-",
        b"session:",
        b"passcode:",
        b"server:",
        b"transaction:",
        b"message:",
    ];
    let header = lines(here).skip(1).take(8).any(|l| known.iter().any(|k| l.starts_with(k)));
    if header { Answer::Certain("stomp", 0.97) } else { Answer::Unsure }
}

/// Remaining length: seven bits a byte, at most four.
fn remaining(here: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for i in 0..4 {
        let b = here.u8(1 + i)?;
        len |= usize::from(b & 0x7f) << (7 * i);
        if b & 0x80 == 0 {
            return Some((len, 2 + i));
        }
    }
    None
}

fn mqtt(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(first) = here.u8(0) else { return Answer::Unsure };
    let Some((len, at)) = remaining(here) else {
        return if here.len() < 5 && first == 0x10 { Answer::Unsure } else { Answer::NotForUs };
    };
    let body = here.from(at);
    let exact = body.len() == len;
    match first {
        0x10 if body.len() < 6 => Answer::Unsure,
        0x10 => connect(body, facts),
        0x20 if body.u8(0).is_some_and(|f| f <= 1)
            && (len == 2 || len >= 3 && exact && body.u8(2).is_some_and(|p| usize::from(p) + 3 == len))
            && body.u8(1).is_some_and(|c| c <= 5 || c >= 0x80) =>
        {
            Answer::Certain("mqtt", if len == 2 && exact { 0.85 } else { 0.8 })
        }
        0x30..=0x3f if first & 6 != 6 => publish(look, body, len, exact),
        0x82 | 0xa2 if exact && subscribes(body) => Answer::Certain("mqtt", 0.9),
        0x90 if exact && (3..=8).contains(&len) => Answer::Certain("mqtt", 0.75),
        0x40 | 0x50 | 0x62 | 0x70 | 0xb0 if exact && (2..=4).contains(&len) => Answer::Certain("mqtt", 0.7),
        0xc0 | 0xd0 | 0xe0 if exact && len == 0 => Answer::Certain("mqtt", 0.75),
        _ => Answer::NotForUs,
    }
}

fn connect(body: &[u8], facts: &mut Facts) -> Answer {
    let level = match (body.has(0, b"\0\x04MQTT"), body.has(0, b"\0\x06MQIsdp")) {
        (true, _) => body.u8(6),
        (_, true) => body.u8(8),
        _ => return if body.len() < 8 && b"\0\x06MQIs".starts_with(body) { Answer::Unsure } else { Answer::NotForUs },
    };
    facts.note("mqtt_level", level.map_or(String::new(), |l| l.to_string()));
    Answer::Certain("mqtt", 1.0)
}

/// A topic in text without wildcards, its length before it.
fn publish(look: &Look<'_>, body: &[u8], len: usize, exact: bool) -> Answer {
    let topic_len = usize::from(body.be16(0).unwrap_or(0));
    let topic = body.part(2, topic_len).unwrap_or_default();
    let good = topic_len > 0
        && topic_len + 2 <= len
        && !topic.is_empty()
        && is_text(topic)
        && !topic.iter().any(|b| matches!(b, b'#' | b'+' | b' ' | b'\n'));
    let path = topic.contains(&b'/');
    match good && !look.from_start && (exact || body.len() < len && path || another(body.from(len))) {
        true if path => Answer::Certain("mqtt", 0.9),
        true => Answer::Certain("mqtt", 0.7),
        false => Answer::NotForUs,
    }
}

/// Another packet begins here: flags that its type demands.
fn another(here: &[u8]) -> bool {
    let flags = here.u8(0).is_some_and(|b| match b >> 4 {
        3 => b & 6 != 6,
        6 | 8 | 10 => b & 15 == 2,
        1..=14 => b & 15 == 0,
        _ => false,
    });
    flags && remaining(here).is_some()
}

fn subscribes(body: &[u8]) -> bool {
    [2, 3]
        .iter()
        .any(|at| body.be16(*at).is_some_and(|n| n > 0 && body.part(at + 2, usize::from(n)).is_some_and(is_text)))
}

/// A frame: total size, size of a command, its type as the first field of the message.
fn pulsar(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(total), Some(command)) = (here.be32(0), here.be32(4)) else { return Answer::Unsure };
    let sized = command.checked_add(4).is_some_and(|c| c <= total) && total < 6 << 20 && command > 2;
    let kind = here.u8(9).unwrap_or(0);
    let inner = here.u8(10).unwrap_or(0) & 7 == 2;
    match sized && here.u8(8) == Some(8) && (2..=70).contains(&kind) && inner {
        true if look.from_start && matches!(kind, 2 | 3) => Answer::Certain("pulsar", 0.95),
        true => Answer::Certain("pulsar", 0.7),
        false if here.len() < 11 && sized => Answer::Unsure,
        false => Answer::NotForUs,
    }
}

/// A request: length, key, version, correlation, client; a response: length, correlation of a request on the other side.
fn kafka(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(len) = here.be32(0) else { return Answer::Unsure };
    if !(8..100 << 20).contains(&len) {
        return Answer::NotForUs;
    }
    if let (Some(asked), Some(answered)) = (look.there.be32(8), here.be32(4))
        && asked == answered
        && request(look.there, look.port(9092), &mut Facts::default()) > 0.0
        && (here.len() <= len as usize + 4 || look.tcp())
    {
        return Answer::Certain("kafka", 0.95);
    }
    let confidence = request(here, look.from_start && look.port(9092), facts);
    match () {
        () if confidence > 0.0 => Answer::Certain("kafka", confidence),
        () if here.len() < 16 => Answer::Unsure,
        // A response alone says little: wait for a request.
        () if look.there.is_empty() && here.be32(4).is_some_and(|c| c < 1 << 20) && here.len() == len as usize + 4 => {
            Answer::Unsure
        }
        () => Answer::NotForUs,
    }
}

/// How well the bytes read as a request.
fn request(here: &[u8], opens_at_port: bool, facts: &mut Facts) -> f32 {
    let (Some(len), Some(key), Some(version), Some(client)) = (here.be32(0), here.be16(4), here.be16(6), here.be16(12))
    else {
        return 0.0;
    };
    if key > 92 || version > 18 {
        return 0.0;
    }
    if client == u16::MAX {
        return if here.len() == len as usize + 4 && here.be32(8).is_some_and(|c| c < 1 << 16) { 0.75 } else { 0.0 };
    }
    if client == 0 {
        return if key <= 3
            && opens_at_port
            && here.len() == len as usize + 4
            && here.be32(8).is_some_and(|c| c < 1 << 16)
        {
            0.7
        } else {
            0.0
        };
    }
    let name = here.part(14, usize::from(client)).unwrap_or_default();
    let id = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b' ' | b'/' | b':' | b'@' | b'#');
    let named = u32::from(client) + 10 <= len && name.len() == usize::from(client) && name.iter().all(id);
    if named {
        facts.set("client_id", name);
        // Whole, or cut only by the size of a segment.
        let end = here.get(len as usize + 4..).is_some() || here.len() >= 1000;
        return if client >= 3 && end { 0.93 } else { 0.7 };
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, feed_mid, named};

    #[test]
    fn openings() {
        assert_eq!(named(Over::TCP, 9, 1, b"AMQP\0\0\x09\x01"), Some("amqp"));
        assert_eq!(named(Over::TCP, 9, 1, b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"), Some("zmtp"));
        assert_eq!(named(Over::UDP, 9, 1, b"RTPS\x02\x03\x01\x0f"), Some("rtps"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\0\xf0\x01ActiveMQ\0\0\0\x0c"), Some("openwire"));
        assert_eq!(named(Over::TCP, 9, 1, b"INFO {\"server_id\":\"x\"}\r\n"), Some("nats"));
        assert_eq!(named(Over::TCP, 9, 1, b"CONNECT\naccept-version:1.2\nhost:a\n\n\0"), Some("stomp"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x10\x12\0\x04MQTT\x04\x02\0\x3c\0\x06client"), Some("mqtt"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x10\x12\0\x04MQTX\x04\x02\0\x3c\0\x06client"), None);
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\0\x1e\0\0\0\x1a\x08\x02\x12\x16\x0a\x05abcde"), Some("pulsar"));
    }

    #[test]
    fn kafka_pairs() {
        let request = b"\0\0\0\x13\0\x12\0\x02\0\0\0\x05\0\x09rdkafka-1\0\0\0\0";
        assert_eq!(named(Over::TCP, 9, 1, request), Some("kafka"));
        let anonymous = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x05\xff\xff";
        let label = feed(Over::TCP, 9, 1, &[(true, anonymous), (false, b"\0\0\0\x08\0\0\0\x05\0\0\0\0")]);
        assert_eq!(label.named.unwrap().name, "kafka");
        // The middle of a ZooKeeper conversation at Kafka's port.
        let other = b"\0\0\0\x0e\0\0\0\x04\0\0\0\x01\0\0\0\x06/train";
        assert_eq!(feed_mid(Over::TCP, 9, 9092, &[(true, other)]).named, None);
    }

    #[test]
    fn the_middle_of_queues() {
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, b"\x30\x0b\0\x05a/b/cvalue")]).named, None);
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, b"\x30\x0c\0\x05a/b/cvalue")]).named.unwrap().name, "mqtt");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, b"\x08\0\0\0\0\0\0\xce")]).named.unwrap().name, "amqp");
    }
}
