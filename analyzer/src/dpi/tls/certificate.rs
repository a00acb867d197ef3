//! Just enough of X.509 (RFC 5280) to name a server: common names of issuer and subject.

use crate::dpi::bytes::Bytes;

/// Issuer's and subject's common names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Who signed.
    pub issuer: Option<Vec<u8>>,
    /// Whom it names.
    pub subject: Option<Vec<u8>>,
}

/// One DER element: tag, contents, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let tag = der.u8(0)?;
    let first = der.u8(1)?;
    let (len, head) = match first {
        0..=0x7f => (usize::from(first), 2),
        0x81 => (usize::from(der.u8(2)?), 3),
        0x82 => (usize::from(der.be16(2)?), 4),
        0x83 => (der.be24(2)? as usize, 5),
        _ => return None,
    };
    let body = der.from(head);
    Some((tag, body.first_of(len), body.from(len)))
}

/// The names in a certificate, as far as its bytes are there.
pub fn names(der: &[u8]) -> Option<Names> {
    let (0x30, certificate, _) = element(der)? else { return None };
    let (0x30, mut rest, _) = element(certificate)? else { return None };
    let mut sequences = Vec::new();
    for _ in 0..8 {
        let Some((tag, body, after)) = element(rest) else { break };
        if tag == 0x30 {
            sequences.push(body);
        }
        rest = after;
    }
    // Signature algorithm, issuer, validity, subject.
    Some(Names {
        issuer: sequences.get(1).and_then(|s| common_name(s)),
        subject: sequences.get(3).and_then(|s| common_name(s)),
    })
}

/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

fn common_name(mut rdns: &[u8]) -> Option<Vec<u8>> {
    for _ in 0..16 {
        let (_, set, after) = element(rdns)?;
        let (_, pair, _) = element(set)?;
        let (_, oid, value) = element(pair)?;
        if oid == COMMON_NAME {
            return element(value).map(|(_, text, _)| text.to_vec());
        }
        rdns = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag, body.len() as u8], body].concat()
    }

    fn name(text: &[u8]) -> Vec<u8> {
        wrap(0x30, &wrap(0x31, &wrap(0x30, &[wrap(6, COMMON_NAME), wrap(12, text)].concat())))
    }

    #[test]
    fn common_names() {
        let tbs = [wrap(2, &[1]), wrap(0x30, b""), name(b"the CA"), wrap(0x30, b""), name(b"node7.example")].concat();
        let der = wrap(0x30, &wrap(0x30, &tbs));
        let found = names(&der).unwrap();
        assert_eq!(found.issuer.as_deref(), Some(&b"the CA"[..]));
        assert_eq!(found.subject.as_deref(), Some(&b"node7.example"[..]));
        for end in 0..der.len() {
            let _ = names(&der[..end]);
        }
    }
}
