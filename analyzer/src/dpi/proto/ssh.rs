//! SSH (RFC 4253), with HASSH fingerprints (salesforce/hassh).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Datagrams, Group, Look, Over, Protocol};
use crate::dpi::tls::fingerprint::md5_hex;

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "ssh",
    also: &[],
    title: "Secure Shell",
    group: Group::Terminal,
    over: Over::TCP,
    ports: &[22, 2222],
    source: "RFC 4253",
    probe,
    datagrams: Datagrams::ALL,
}];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if !here.starts_with(b"SSH-") {
        return match b"SSH-".starts_with(here) {
            true => Answer::Unsure,
            false => key_exchange_alone(look),
        };
    }
    let Some(line) = here.line(256) else {
        return if here.len() > 255 { Answer::NotForUs } else { Answer::SoFar("ssh", 0.95) };
    };
    let from_client = look.initiator.unwrap_or(look.dport < look.sport);
    facts.set(if from_client { "client_version" } else { "server_version" }, line);
    let packet = here.from(memchr::memchr(b'\n', here).map_or(here.len(), |at| at + 1));
    match hassh(packet, from_client) {
        Some(hash) => {
            facts.note(if from_client { "hassh" } else { "hassh_server" }, hash);
            if look.there.is_empty() { Answer::SoFar("ssh", 1.0) } else { Answer::Certain("ssh", 1.0) }
        }
        None => Answer::SoFar("ssh", 1.0),
    }
}

/// A key exchange whose version line was not captured.
fn key_exchange_alone(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(len), Some(pad), Some(20)) = (here.be32(0), here.u8(4), here.u8(5)) else { return Answer::NotForUs };
    let first = here.be32(22).unwrap_or(0) as usize;
    let list = here.from(26).first_of(first.min(64));
    let known: [&[u8]; 4] = [b"curve25519", b"diffie-hellman", b"ecdh-sha2", b"sntrup761"];
    let named = known.iter().any(|k| list.starts_with(k));
    if (100..35_000).contains(&len) && pad >= 4 && named { Answer::Certain("ssh", 0.95) } else { Answer::NotForUs }
}

/// MD5 over key exchange, encryption, MAC and compression algorithms of SSH_MSG_KEXINIT, of the sender's direction.
fn hassh(packet: &[u8], from_client: bool) -> Option<String> {
    if packet.u8(5)? != 20 {
        return None;
    }
    let (mut at, mut lists) = (22, Vec::new());
    for _ in 0..8 {
        let len = packet.be32(at)? as usize;
        lists.push(packet.part(at + 4, len)?);
        at += 4 + len;
    }
    let pick = if from_client { [0, 2, 4, 6] } else { [0, 3, 5, 7] };
    let parts: Vec<&[u8]> = pick.iter().filter_map(|i| lists.get(*i).copied()).collect();
    Some(md5_hex(&parts.join(&b';')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    fn kexinit() -> Vec<u8> {
        let mut payload = vec![20];
        payload.extend([9; 16]);
        for list in ["curve25519-sha256", "ssh-ed25519", "aes", "aes2", "hmac", "hmac2", "none", "zlib", "", ""] {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload.extend([0; 5]);
        let len = payload.len() as u32 + 5;
        [&len.to_be_bytes()[..], &[4], &payload, &[0; 4]].concat()
    }

    #[test]
    fn versions_and_fingerprints() {
        let client = [b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), kexinit()].concat();
        let label = feed(Over::TCP, 40000, 2200, &[(false, b"SSH-2.0-server\r\n"), (true, &client)]);
        assert_eq!((label.named.unwrap().name, label.closed), ("ssh", true));
        let attrs = label.attrs.unwrap();
        assert!(attrs.contains(&("server_version", "SSH-2.0-server".to_owned())), "{attrs:?}");
        let expected = md5_hex(b"curve25519-sha256;aes;hmac;none");
        assert!(attrs.contains(&("hassh", expected)), "{attrs:?}");
        assert_eq!(named(Over::TCP, 1, 2, &kexinit()), Some("ssh"));
        assert_eq!(named(Over::TCP, 1, 22, b"SSX-2.0\r\n"), None);
    }
}
