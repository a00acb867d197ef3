//! Syslog, in its old and its structured form, over UDP and TCP (RFC 3164, RFC 5424, RFC 6587).

use crate::dpi::bytes::{Bytes, decimal, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "syslog",
    "Syslog",
    Group::Management,
    Over::BOTH,
    &[514, 601, 1514, 5514],
    "RFC 5424, RFC 3164, RFC 6587",
    probe,
)
.datagrams(3, &[(0x3c, 0x3c)])];

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

fn probe(look: &Look<'_>, _: &mut Facts) -> Answer {
    let mut text = look.here;
    if look.tcp() {
        // Octet counting (RFC 6587 3.4.1).
        let digits = text.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 && text.u8(digits) == Some(b' ') {
            text = text.from(digits + 1);
        }
    }
    let Some(end) = text.first_of(6).iter().position(|b| *b == b'>') else {
        let partial = look.tcp() && text.len() < 5 && (text.is_empty() || text.starts_with(b"<"));
        return if partial { Answer::Unsure } else { Answer::NotForUs };
    };
    let priority = text.starts_with(b"<").then(|| decimal(text.from(1).first_of(end.saturating_sub(1)))).flatten();
    let message = text.from(end + 1);
    if priority.is_none_or(|p| p > 191) || !is_text(message.first_of(16)) || message.is_empty() {
        return Answer::NotForUs;
    }
    let structured = message.starts_with(b"1 ") && message.u8(2).is_some_and(|b| b.is_ascii_digit() || b == b'-');
    let dated = MONTHS.iter().any(|m| message.starts_with(m))
        || message.first_of(24).windows(4).any(|w| w[0] == b':' && w[3] == b':');
    Answer::Certain("syslog", if structured || dated { 0.95 } else { 0.7 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn forms() {
        assert_eq!(named(Over::UDP, 9, 5555, b"<34>Oct 11 22:14:15 node su: failed"), Some("syslog"));
        assert_eq!(named(Over::TCP, 9, 5555, b"<165>1 2003-10-11T22:14:15.003Z node app - ID47 - x\n"), Some("syslog"));
        assert_eq!(named(Over::TCP, 9, 5555, b"40 <165>1 - node app - ID47 - message"), Some("syslog"));
        assert_eq!(named(Over::UDP, 9, 514, b"<999>Oct 11"), None);
        assert_eq!(named(Over::UDP, 9, 5555, b"<3>free text"), None);
        assert_eq!(named(Over::TCP, 9, 514, b"<html><body>"), None);
    }
}
