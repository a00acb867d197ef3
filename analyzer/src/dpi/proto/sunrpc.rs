//! ONC RPC and the programs over it: NFS, mount, port mapper, lock and status managers, GlusterFS (RFC 5531, RFC 1833, RFC 7530, RFC 8881).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Datagrams, Group, Look, Name, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "nfs",
    also: &["sunrpc", "mount", "portmap", "nlm", "nsm", "glusterfs"],
    title: "Network File System and other ONC RPC programs",
    group: Group::Storage,
    over: Over::BOTH,
    ports: &[111, 2049, 20048, 24007],
    source: "RFC 5531, RFC 1813, RFC 7530, RFC 8881, RFC 1833",
    probe,
    datagrams: Datagrams { least: 12, first: ANY },
}];

/// Program numbers (RFC 5531 8.4, IANA; GlusterFS rpc/rpc-lib/src/protocol-common.h).
fn program(number: u32) -> Option<Name> {
    Some(match number {
        100_000 => "portmap",
        100_003 | 100_227 | 0x4000_0000..=0x4000_00ff => "nfs",
        100_005 => "mount",
        100_021 => "nlm",
        100_024 => "nsm",
        // Dump, handshake, port map, callback, file operations, command line, management, friends, bricks, quota.
        123_451_501 | 14_398_633 | 34_123_456 | 52_743_234 | 1_298_437 | 1_238_463 | 1_238_433 | 1_238_437
        | 4_867_634 | 29_852_134 => "glusterfs",
        _ => return None,
    })
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let message = if look.tcp() {
        let Some(marker) = here.be32(0) else {
            return if here.first().is_none_or(|b| matches!(b, 0 | 0x80)) { Answer::Unsure } else { Answer::NotForUs };
        };
        let len = marker & 0x7fff_ffff;
        if !(20..=4 << 20).contains(&len) {
            return Answer::NotForUs;
        }
        here.from(4)
    } else {
        here
    };
    match (message.be32(4), message.be32(8)) {
        (Some(0), Some(2)) => call(message, look, facts),
        (Some(1), Some(0)) => accepted(message, look),
        (Some(1), Some(1)) => denied(message, look),
        (Some(_), Some(_)) => Answer::NotForUs,
        _ if look.tcp() => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

fn call(message: &[u8], look: &Look<'_>, facts: &mut Facts) -> Answer {
    let (Some(number), Some(version), Some(procedure)) = (message.be32(12), message.be32(16), message.be32(20)) else {
        return Answer::Unsure;
    };
    let (Some(flavour), Some(len)) = (message.be32(24), message.be32(28)) else { return Answer::Unsure };
    let auth = flavour <= 7 || (390_003..=390_100).contains(&flavour) || flavour == 300_001;
    if !auth || len > 400 && flavour < 300_001 || len % 4 != 0 || version > 1000 || procedure > 1000 {
        return Answer::NotForUs;
    }
    facts.note("rpc", format!("{number} v{version}"));
    let name = program(number).unwrap_or("sunrpc");
    if name == "nfs" && number == 100_003 {
        facts.note("nfs_version", version.to_string());
    }
    machine(message, flavour, facts);
    mapped(message, number, version, procedure, len, look, facts);
    Answer::Certain(name, if name == "sunrpc" { 0.85 } else { 1.0 })
}

/// AUTH_SYS names the calling machine (RFC 5531 appendix A).
fn machine(message: &[u8], flavour: u32, facts: &mut Facts) {
    if flavour == 1
        && let Some(len) = message.be32(36)
    {
        facts.set("client_machine", message.part(40, (len as usize).min(255)).unwrap_or_default());
    }
}

/// PMAPPROC_SET tells where a program will listen (RFC 1833 3.2).
fn mapped(message: &[u8], number: u32, version: u32, procedure: u32, auth: u32, look: &Look<'_>, facts: &mut Facts) {
    if (number, version, procedure) != (100_000, 2, 1) {
        return;
    }
    let verifier = 32 + auth as usize;
    let at = verifier + 8 + message.be32(verifier + 4).unwrap_or(0).min(400) as usize;
    if let (Some(name), Some(port)) = (message.be32(at).and_then(program), message.be32(at + 12)) {
        facts.expect(look.src, port as u16, name);
    }
}

/// A reply says nothing of the program; the call on the other side does.
fn accepted(message: &[u8], look: &Look<'_>) -> Answer {
    let (Some(flavour), Some(len)) = (message.be32(12), message.be32(16)) else { return Answer::Unsure };
    let status = message.be32(20 + len.min(400) as usize);
    if flavour > 7 || len > 400 || status.is_some_and(|s| s > 5) {
        return Answer::NotForUs;
    }
    Answer::SoFar(by_port(look), if flavour == 0 && len == 0 && status.is_some() { 0.85 } else { 0.7 })
}

fn denied(message: &[u8], look: &Look<'_>) -> Answer {
    match message.be32(12) {
        Some(0 | 1) if message.len() <= 24 => Answer::SoFar(by_port(look), 0.7),
        _ => Answer::NotForUs,
    }
}

/// The reply's form is proof of RPC; the registered port then names the program.
fn by_port(look: &Look<'_>) -> Name {
    match look.sport {
        111 => "portmap",
        2049 => "nfs",
        20048 => "mount",
        24007 => "glusterfs",
        _ => "sunrpc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    fn rpc(number: u32, version: u32) -> Vec<u8> {
        let words = [0x1234_5678, 0, 2, number, version, 1, 0, 0, 0, 0];
        words.iter().flat_map(|w: &u32| w.to_be_bytes()).collect()
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        [&(0x8000_0000 | message.len() as u32).to_be_bytes()[..], message].concat()
    }

    #[test]
    fn programs_by_number() {
        assert_eq!(named(Over::TCP, 700, 9999, &framed(&rpc(100_003, 4))), Some("nfs"));
        assert_eq!(named(Over::UDP, 700, 111, &rpc(100_000, 2)), Some("portmap"));
        assert_eq!(named(Over::TCP, 700, 5, &framed(&rpc(14_398_633, 2))), Some("glusterfs"));
        assert_eq!(named(Over::UDP, 700, 2049, &rpc(100_003, 9999)), None);
    }

    #[test]
    fn a_reply_is_named_by_its_call() {
        let reply: Vec<u8> = [0x1234_5678, 1, 0, 0, 0, 0_u32].iter().flat_map(|w| w.to_be_bytes()).collect();
        let label = feed(Over::TCP, 700, 800, &[(false, &framed(&reply)), (true, &framed(&rpc(100_005, 3)))]);
        assert_eq!(label.named.unwrap().name, "mount");
    }
}
