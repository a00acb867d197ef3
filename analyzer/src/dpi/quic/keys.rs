//! Keys of Initial packets: anyone who sees the first packet can derive them (RFC 9001 5.2).

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};

/// Bytes of a SHA-256 block.
const BLOCK: usize = 64;

/// HMAC-SHA-256 (RFC 2104) under a key of at most one block.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut padded = [0; BLOCK];
    padded.iter_mut().zip(key).for_each(|(p, k)| *p = *k);
    let mut inner = Sha256::new();
    inner.update(padded.map(|b| b ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(padded.map(|b| b ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// HKDF-Expand-Label of at most 32 bytes with an empty context (RFC 8446 7.1).
fn expand(secret: &[u8; 32], label: &str, len: u8) -> [u8; 32] {
    let full = [b"tls13 ", label.as_bytes()].concat();
    hmac(secret, &[&[0, len, full.len() as u8], &full, &[0], &[1]])
}

/// One version's constants.
#[derive(Clone, Copy)]
pub struct Version {
    salt: [u8; 20],
    labels: [&'static str; 3],
}

const LABELS_1: [&str; 3] = ["quic key", "quic iv", "quic hp"];
const LABELS_2: [&str; 3] = ["quicv2 key", "quicv2 iv", "quicv2 hp"];

/// Salts by version (RFC 9001 5.2, RFC 9369 3.3.1, drafts 22 to 34, Google's and Meta's own).
pub fn version(number: u32) -> Option<Version> {
    let (salt, labels) = match number {
        1 => ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", LABELS_1),
        0x6b33_43cf | 0x709a_50c4 => ("0dede3def700a6db819381be6e269dcbf9bd2ed9", LABELS_2),
        0xff00_001d..=0xff00_0020 | 0xface_b002 => ("afbfec289993d24c9e9786f19c6111e04390a899", LABELS_1),
        0xff00_0017..=0xff00_001c | 0xface_b001 => ("c3eef712c72ebb5a11a7d2432bb46365bef9f502", LABELS_1),
        0xff00_0016 => ("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a", LABELS_1),
        0xff00_0021 | 0xff00_0022 => ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", LABELS_1),
        0x5130_3530 => ("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45", LABELS_1),
        0x5430_3530 => ("7ff579e5acd072915580304c43a2367c60488310", LABELS_1),
        0x5430_3531 => ("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d", LABELS_1),
        // Versions that only exercise negotiation (RFC 9000 15) are keyed as the first.
        v if v & 0x0f0f_0f0f == 0x0a0a_0a0a => ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", LABELS_1),
        _ => return None,
    };
    Some(Version { salt: unhex(salt), labels })
}

fn unhex(text: &str) -> [u8; 20] {
    let mut out = [0; 20];
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    out
}

/// Keys of one sender's Initial packets.
pub struct Keys {
    packet: Aes128,
    header: Aes128,
    iv: [u8; 12],
}

impl Keys {
    /// Of the client's packets to this first destination connection identifier.
    pub fn of_client(version: Version, connection: &[u8]) -> Self {
        let initial = hmac(&version.salt, &[connection]);
        let secret = expand(&initial, "client in", 32);
        let [key, iv, header] = version.labels;
        let cipher = |label| {
            let mut bytes = [0_u8; 16];
            bytes.iter_mut().zip(expand(&secret, label, 16)).for_each(|(b, k)| *b = k);
            Aes128::new(&bytes.into())
        };
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(expand(&secret, iv, 12)).for_each(|(n, k)| *n = k);
        Self { packet: cipher(key), header: cipher(header), iv: nonce }
    }

    /// The mask of header protection over a sample (RFC 9001 5.4.3).
    pub fn mask(&self, sample: [u8; 16]) -> [u8; 16] {
        let mut block = sample.into();
        self.header.encrypt_block(&mut block);
        block.into()
    }

    /// Deciphers a payload: counter mode behind GCM's first block. The tag stays unchecked: what is inside must read as frames.
    pub fn open(&self, number: u64, ciphered: &[u8]) -> Vec<u8> {
        let mut counter = [0_u8; 16];
        counter.iter_mut().zip(self.iv).for_each(|(c, iv)| *c = iv);
        counter.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(c, n)| *c ^= n);
        let mut plain = Vec::with_capacity(ciphered.len());
        for (i, chunk) in ciphered.chunks(16).enumerate() {
            counter.iter_mut().skip(12).zip((i as u32 + 2).to_be_bytes()).for_each(|(c, n)| *c = n);
            let mut block = counter.into();
            self.packet.encrypt_block(&mut block);
            plain.extend(chunk.iter().zip(block).map(|(a, b)| a ^ b));
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::tls::fingerprint::hex;

    /// RFC 9001 appendix A.1.
    #[test]
    fn the_secrets_of_the_rfc() {
        let version = version(1).unwrap();
        let initial = hmac(&version.salt, &[&[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]]);
        let client = expand(&initial, "client in", 32);
        assert_eq!(hex(&client), "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea");
        assert_eq!(hex(&expand(&client, "quic key", 16)[..16]), "1f369613dd76d5467730efcbe3b1a22d");
        assert_eq!(hex(&expand(&client, "quic iv", 12)[..12]), "fa044b2f42a3fd3b46fb255c");
    }
}
