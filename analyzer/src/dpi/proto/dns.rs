//! DNS over UDP and TCP, multicast DNS, LLMNR (RFC 1035, RFC 6762, RFC 4795). Answers teach names of addresses.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::{Facts, host_name};
use crate::dpi::protocol::{ANY, Answer, Datagrams, Group, Look, Over, Protocol};
use crate::packet::Addr;

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "dns",
    also: &["mdns", "llmnr"],
    title: "Domain Name System, multicast DNS, LLMNR",
    group: Group::Infrastructure,
    over: Over::BOTH,
    ports: &[53, 5353, 5355],
    source: "RFC 1035, RFC 6762, RFC 4795, RFC 6891",
    probe,
    datagrams: Datagrams { least: 12, first: ANY },
}];

/// Records of one message that are looked at.
const MAX_RECORDS: u16 = 48;

/// The walk over one message.
struct Message<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Message<'_> {
    /// A name in text; compression pointers only point back (RFC 1035 4.1.4). `None` if it is malformed or cut.
    fn name(&mut self) -> Option<Vec<u8>> {
        let (mut at, mut after, mut text) = (self.at, None, Vec::new());
        for _ in 0..64 {
            let len = usize::from(self.bytes.u8(at)?);
            match len {
                0 => {
                    self.at = after.unwrap_or(at + 1);
                    return Some(text);
                }
                1..=63 => {
                    if !text.is_empty() {
                        text.push(b'.');
                    }
                    text.extend_from_slice(self.bytes.part(at + 1, len)?);
                    if text.len() > 255 {
                        return None;
                    }
                    at += 1 + len;
                }
                0xc0.. => {
                    let to = usize::from(self.bytes.be16(at)? & 0x3fff);
                    if to >= at {
                        return None;
                    }
                    after.get_or_insert(at + 2);
                    at = to;
                }
                _ => return None,
            }
        }
        None
    }

    fn question(&mut self) -> Option<(Vec<u8>, u16)> {
        let name = self.name()?;
        let kind = self.bytes.be16(self.at)?;
        let class = self.bytes.be16(self.at + 2)? & 0x7fff;
        self.at += 4;
        (kind != 0 && matches!(class, 1 | 3 | 4 | 254 | 255)).then_some((name, kind))
    }

    /// Owner, type, where the data begins and its length.
    fn record(&mut self) -> Option<(Vec<u8>, u16, usize, usize)> {
        let owner = self.name()?;
        let kind = self.bytes.be16(self.at)?;
        let class = self.bytes.be16(self.at + 2)? & 0x7fff;
        let len = usize::from(self.bytes.be16(self.at + 8)?);
        let data = self.at + 10;
        self.at = data + len;
        (kind == 41 || matches!(class, 1 | 3 | 4 | 254 | 255)).then_some((owner, kind, data, len))
    }
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if look.udp() {
        return named(look, message(here, look, facts));
    }
    let Some(len) = here.be16(0).map(usize::from) else { return Answer::Unsure };
    if len < 17 || here.len() > 2 + len && here.be16(2 + len).is_none_or(|l| l < 17) {
        return Answer::NotForUs;
    }
    let body = here.from(2).first_of(len);
    if body.len() < len {
        let begun = body.len() < 12 || message(body, &Look { whole: false, ..*look }, &mut Facts::default()).is_some();
        return if begun { Answer::Unsure } else { Answer::NotForUs };
    }
    named(look, message(body, look, facts))
}

/// How well the bytes read as a message: `None` not at all.
fn message(bytes: &[u8], look: &Look<'_>, facts: &mut Facts) -> Option<f32> {
    let flags = bytes.be16(2)?;
    let counts = [4, 6, 8, 10].map(|at| bytes.be16(at).unwrap_or(u16::MAX));
    let [questions, answers, authorities, additional] = counts;
    let response = flags & 0x8000 != 0;
    let opcode = flags >> 11 & 15;
    let plausible = matches!(opcode, 0 | 1 | 2 | 4 | 5) && counts.iter().all(|c| *c <= 512) && flags & 0x0040 == 0;
    let asks = response || questions > 0 || opcode == 5 || answers > 0;
    if !plausible || !asks || questions > 64 {
        return None;
    }
    let mut walk = Message { bytes, at: 12 };
    let mut names = Vec::new();
    for _ in 0..questions.min(MAX_RECORDS) {
        match walk.question() {
            Some((name, _)) => names.push(name),
            None if look.whole => return None,
            None => break,
        }
    }
    let first = names.first().cloned().unwrap_or_default();
    let total = u32::from(answers) + u32::from(authorities) + u32::from(additional);
    let records = records(&mut walk, total, response, &first, facts);
    facts.set("query", &first);
    if response {
        facts.note("rcode", (flags & 15).to_string());
    }
    weigh(&walk, look, counts, records)
}

/// Reads records and learns addresses. How many read well.
fn records(walk: &mut Message<'_>, total: u32, response: bool, asked: &[u8], facts: &mut Facts) -> u32 {
    let mut good = 0;
    for _ in 0..total.min(u32::from(MAX_RECORDS)) {
        let Some((owner, kind, data, len)) = walk.record() else { break };
        good += 1;
        let bytes = walk.bytes.from(data);
        let addr = match (kind, len) {
            (1, 4) => bytes.first_chunk().map(|a| Addr::v4(*a)),
            (28, 16) => bytes.first_chunk().map(|a| Addr(*a)),
            _ => None,
        };
        let name = if asked.is_empty() { &owner } else { asked };
        if let (true, Some(addr), Some(name)) = (response, addr, host_name(name)) {
            facts.learn(addr, &name);
        }
    }
    good
}

fn weigh(walk: &Message<'_>, look: &Look<'_>, counts: [u16; 4], records: u32) -> Option<f32> {
    let [questions, rest @ ..] = counts;
    let total: u32 = rest.iter().map(|c| u32::from(*c)).sum();
    let all = records >= total.min(u32::from(MAX_RECORDS));
    let exact = walk.at == walk.bytes.len();
    match (all, exact) {
        (true, true) if questions > 0 || total > 0 => Some(0.97),
        // A bare header: only at the right port does it mean anything.
        (true, true) => (look.port(53) || look.port(5353) || look.port(5355)).then_some(0.85),
        (true, false) if total > u32::from(MAX_RECORDS) => Some(0.95),
        (true, false) => (look.port(53) || look.port(5353) || look.port(5355)).then_some(0.85),
        (false, _) if !look.whole && questions == 1 => Some(0.85),
        (false, _) => (look.port(53) && questions > 0).then_some(0.8),
    }
}

fn named(look: &Look<'_>, confidence: Option<f32>) -> Answer {
    let Some(confidence) = confidence else { return Answer::NotForUs };
    let name = match () {
        () if look.port(5353) && (look.dst.is_multicast() || look.sport == 5353 || look.dport == 5353) => "mdns",
        () if look.port(5355) => "llmnr",
        () => "dns",
    };
    // An answer still to come teaches the address.
    let answered = look.here.be16(if look.tcp() { 4 } else { 2 }).is_some_and(|flags| flags & 0x8000 != 0);
    if answered || name != "dns" { Answer::Certain(name, confidence) } else { Answer::SoFar(name, confidence) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x63";

    #[test]
    fn query_and_answer_on_any_port() {
        let label = feed(Over::UDP, 40000, 5400, &[(true, QUERY), (false, ANSWER)]);
        assert_eq!((label.named.unwrap().name, label.closed), ("dns", true));
        let attrs = label.attrs.unwrap();
        assert!(attrs.contains(&("query", "a.example".to_owned())), "{attrs:?}");
        let framed = [&[0, QUERY.len() as u8][..], QUERY].concat();
        assert_eq!(named(Over::TCP, 40000, 53, &framed), Some("dns"));
        assert_eq!(named(Over::UDP, 5353, 5353, ANSWER), Some("mdns"));
    }

    #[test]
    fn an_answer_teaches_the_name() {
        let mut facts = Facts::default();
        assert!(message(ANSWER, &Look::of(Over::UDP, 53, 4, ANSWER), &mut facts).is_some());
        assert_eq!(facts.learnt, [(Addr::v4([10, 0, 0, 99]), "a.example".to_owned())]);
    }

    #[test]
    fn pointers_do_not_loop() {
        let mut loops = QUERY.to_vec();
        loops[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(named(Over::UDP, 4, 53, &loops), None);
        assert_eq!(named(Over::UDP, 4, 53, &[0; 40]), None);
    }
}
