//! Terminals and desktops: Telnet, the r-commands, RDP, VNC.

use crate::dpi::bytes::{Bytes, decimal, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("telnet", "Telnet", Group::Terminal, Over::TCP, &[23], "RFC 854", |l, _| telnet(l)),
    Protocol::new(
        "rsh",
        "BSD r-commands: rsh, rexec, rlogin",
        Group::Terminal,
        Over::TCP,
        &[512, 513, 514],
        "RFC 1282, BSD rcmd(3)",
        |l, _| rsh(l),
    )
    .also(&["rlogin"]),
    Protocol::new("rdp", "Remote Desktop Protocol", Group::Terminal, Over::BOTH, &[3389], "MS-RDPBCGR", rdp)
        .datagrams(16, ANY),
    Protocol::new("vnc", "Remote Framebuffer", Group::Terminal, Over::TCP, &[5900, 5901], "RFC 6143", vnc),
];

/// Negotiations: IAC, a verb, an option.
fn telnet(look: &Look<'_>) -> Answer {
    let here = look.here;
    let negotiates = |at: usize| {
        here.u8(at) == Some(0xff)
            && here.u8(at + 1).is_some_and(|v| (0xfb..=0xfe).contains(&v))
            && here.u8(at + 2).is_some_and(|o| o <= 50 || o >= 0x80)
    };
    if here.len() < 3 {
        return if here.first().is_none_or(|b| *b == 0xff) { Answer::Unsure } else { Answer::NotForUs };
    }
    let second = here.len() == 3 || here.u8(3).is_none_or(|b| b == 0xff || b < 0x80);
    if negotiates(0) && second {
        return Answer::Certain("telnet", if negotiates(3) { 0.95 } else { 0.8 });
    }
    // Text of a server before or between negotiations.
    let inside = here.first_of(256).windows(3).any(|w| w[0] == 0xff && (0xfb..=0xfe).contains(&w[1]) && w[2] <= 39);
    let text = here.first_of(256).iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count();
    if inside && look.port(23) && text * 2 > here.len().min(256) {
        Answer::Certain("telnet", 0.75)
    } else {
        Answer::NotForUs
    }
}

/// Port for errors, user here, user there, command; rlogin begins by an empty string.
fn rsh(look: &Look<'_>) -> Answer {
    let here = look.here;
    if !look.from_start || here.len() > 512 {
        return Answer::NotForUs;
    }
    let fields: Vec<&[u8]> = here.split(|b| *b == 0).collect();
    let user = |i: usize| {
        fields.get(i).is_some_and(|f: &&[u8]| {
            !f.is_empty()
                && f.len() <= 32
                && f.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        })
    };
    let whole = here.ends_with(&[0]);
    let port = fields.first().copied().and_then(decimal);
    if port.is_some_and(|p| p <= 65_535)
        && fields.len() == 5
        && whole
        && user(1)
        && user(2)
        && fields.get(3).is_some_and(|c| is_text(c))
    {
        return Answer::Certain("rsh", 0.95);
    }
    let terminal = fields.get(3).is_some_and(|t| {
        t.iter().all(|b| b.is_ascii_graphic()) && t.contains(&b'/') && t.last().is_some_and(u8::is_ascii_digit)
    });
    if fields.first().is_some_and(|f| f.is_empty()) && fields.len() == 5 && whole && user(1) && user(2) && terminal {
        return Answer::Certain("rlogin", 0.95);
    }
    let begun = here.iter().all(|b| *b == 0 || b.is_ascii_graphic() || *b == b' ') && fields.len() < 5;
    let digits = fields.first().is_some_and(|f| f.len() <= 5 && f.iter().all(u8::is_ascii_digit));
    if begun && digits { Answer::Unsure } else { Answer::NotForUs }
}

/// TPKT and an X.224 connection request or confirmation, with what they negotiate.
fn rdp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if look.udp() {
        return rdp_datagram(look);
    }
    let (Some(head), Some(len)) = (here.be16(0), here.be16(2)) else {
        return if here.first().is_none_or(|b| *b == 3) { Answer::Unsure } else { Answer::NotForUs };
    };
    if head != 0x0300 || !(11..=1024).contains(&len) {
        return Answer::NotForUs;
    }
    let (Some(length), Some(kind)) = (here.u8(4), here.u8(5)) else { return Answer::Unsure };
    let fits = usize::from(length) + 5 == usize::from(len);
    let body = here.from(11).first_of(usize::from(len) - 11);
    if let Some(at) = body.find(b"mstshash=", 64) {
        facts.set("user", body.from(at + 9).line(64).unwrap_or_default());
    }
    let negotiation = |b: &[u8]| b.len() >= 8 && matches!(b.u8(0), Some(1..=3)) && b.le16(2) == Some(8);
    let tail = body.from(body.len().saturating_sub(8));
    let cookie = body.starts_with(b"Cookie: ");
    match kind {
        0xe0 if fits && (cookie || negotiation(tail) || body.is_empty() && look.port(3389)) => {
            Answer::Certain("rdp", 0.96)
        }
        0xd0 if fits && negotiation(body) => Answer::Certain("rdp", 0.96),
        0xd0 if fits && body.is_empty() && look.port(3389) => Answer::Certain("rdp", 0.85),
        0xe0 | 0xd0 if fits && body.is_empty() => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// RDPUDP: a SYN with no acknowledged number, or its answer, both padded, with the sizes they offer (MS-RDPEUDP 2.2.2).
fn rdp_datagram(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(source), Some(flags), Some(up), Some(down)) = (here.be32(0), here.be16(6), here.be16(12), here.be16(14))
    else {
        return Answer::NotForUs;
    };
    let sizes = (1132..=1232).contains(&up) && (1132..=1232).contains(&down) && here.len() == 1232;
    let opens = source == u32::MAX && flags & 5 == 1;
    let answers = flags & 5 == 5;
    // Later: acknowledged data whose payload is a record of TLS or DTLS to the end.
    let record = |at: usize| {
        let len_at = if here.u8(at + 1) == Some(0xfe) { at + 11 } else { at + 3 };
        let known = matches!(here.u8(at), Some(20..=23)) && matches!(here.u8(at + 1), Some(3 | 0xfe));
        known
            && here
                .be16(len_at)
                .is_some_and(|len| here.len() == len_at + 2 + usize::from(len) || at + usize::from(len) > 600)
    };
    let carries = flags & 0xffe4 == 4 && flags & 8 != 0 && (16..=32).step_by(4).any(record) && look.port(3389);
    if sizes && (opens || answers) || carries { Answer::Certain("rdp", 0.93) } else { Answer::NotForUs }
}

fn vnc(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(b"RFB 00") && here.u8(11) == Some(b'\n') {
        facts.set("rfb_version", here.from(4).first_of(7));
        return Answer::Certain("vnc", 1.0);
    }
    if here.len() < 12 && b"RFB 00".starts_with(here.first_of(6)) { Answer::Unsure } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn openings() {
        assert_eq!(named(Over::TCP, 9, 1, b"\xff\xfd\x18\xff\xfd\x20"), Some("telnet"));
        assert_eq!(named(Over::TCP, 9, 1, b"1023\0bob\0bob\0ls -l\0"), Some("rsh"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0bob\0bob\0xterm/38400\0"), Some("rlogin"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"), Some("rdp"));
        assert_eq!(named(Over::TCP, 9, 1, b"RFB 003.008\n"), Some("vnc"));
        assert_eq!(named(Over::TCP, 9, 3389, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x09\0\x09\0\x03\0\0\0"), None);
    }
}
