//! Discovery by UDP: SSDP, WS-Discovery, SLP (UPnP Device Architecture 2.0, OASIS WS-Discovery 1.1, RFC 2608).

use super::http;
use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "ssdp",
        "Simple Service Discovery Protocol",
        Group::Infrastructure,
        Over::UDP,
        &[1900],
        "UPnP Device Architecture 2.0",
        ssdp,
    )
    .datagrams(8, &[(0x41, 0x5a), (0x20, 0x20)]),
    Protocol::new("wsd", "WS-Discovery", Group::Infrastructure, Over::UDP, &[3702], "OASIS WS-Discovery 1.1", wsd)
        .datagrams(5, &[(0x3c, 0x3c)]),
    Protocol::new("slp", "Service Location Protocol", Group::Infrastructure, Over::BOTH, &[427], "RFC 2608", slp)
        .datagrams(14, &[(0x02, 0x02)]),
];

fn ssdp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if let Some(request) = http::request(here, b"HTTP/1.") {
        facts
            .set("user_agent", request.header(b"user-agent").or_else(|| request.header(b"server")).unwrap_or_default());
        return Answer::Certain("ssdp", 0.98);
    }
    match http::response(here, b"HTTP/1.") {
        Some(response) if response.header(b"st").is_some() || response.header(b"usn").is_some() => {
            facts.set("server", response.header(b"server").unwrap_or_default());
            Answer::Certain("ssdp", 0.98)
        }
        _ => Answer::NotForUs,
    }
}

fn wsd(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    let xml = here.starts_with(b"<?xml")
        || here.starts_with(b"<soap")
        || here.starts_with(b"<s:Env")
        || here.starts_with(b"<SOAP");
    let names = here.find(b"schemas.xmlsoap.org/ws/2005/04/discovery", 1500).is_some()
        || here.find(b"docs.oasis-open.org/ws-dd", 1500).is_some()
        || here.find(b"ws/2004/08/addressing", 1500).is_some();
    if xml && names { Answer::Certain("wsd", 0.98) } else { Answer::NotForUs }
}

/// Version 2: function, length of the whole message, a language tag.
fn slp(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(version), Some(function), Some(len)) = (here.u8(0), here.u8(1), here.be24(2)) else {
        return if look.tcp() && here.first().is_none_or(|v| *v == 2) { Answer::Unsure } else { Answer::NotForUs };
    };
    let language = here.be16(12).map(usize::from).unwrap_or(0);
    let tag = here.part(14, language).is_some_and(|t| t.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-'));
    let whole = len as usize == here.len();
    if version == 2 && matches!(function, 1..=11) && whole && (2..=8).contains(&language) && tag {
        return Answer::Certain("slp", 0.95);
    }
    Answer::NotForUs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn searches() {
        assert_eq!(named(Over::UDP, 9, 1901, b"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n"), Some("ssdp"));
        assert_eq!(named(Over::UDP, 1900, 9, b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n"), Some("ssdp"));
        let probe = b"<?xml version=\"1.0\"?><s:Envelope xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\">";
        assert_eq!(named(Over::UDP, 9, 3703, probe), Some("wsd"));
        assert_eq!(
            named(Over::UDP, 9, 427, b"\x02\x01\x00\x00\x12\x00\x00\x00\x00\x00\x00\x05\x00\x02en\x00\x00"),
            Some("slp")
        );
        assert_eq!(named(Over::UDP, 9, 1900, b"hello"), None);
    }
}
