//! Names by port: a last resort with little confidence, never against payload.

use super::open::Named;
use super::protocol::{Name, Over};

/// Confidence of a guess by port.
const BY_PORT: f32 = 0.3;

/// Ports of protocols whose middle is ciphered without a visible frame.
const CIPHERED: [(Over, u16, Name); 2] = [(Over::TCP, 22, "ssh"), (Over::UDP, 443, "quic")];

/// What the ports suggest for bytes in which nothing was recognised. Only protocols that are ciphered from early on may be
/// guessed: any other would have shown itself.
pub fn by_port(over: Over, ports: [u16; 2], bytes: &[u8]) -> Option<Named> {
    let (_, _, name) = CIPHERED.iter().find(|(o, port, _)| *o == over && ports.contains(port))?;
    looks_ciphered(bytes).then_some(Named { name, engine: "port", confidence: BY_PORT })
}

/// Bytes spread over all values: text and structures leave most values out.
fn looks_ciphered(bytes: &[u8]) -> bool {
    let sample = bytes.get(..256).unwrap_or(bytes);
    let mut seen = [false; 256];
    for b in sample {
        if let Some(mark) = seen.get_mut(usize::from(*b)) {
            *mark = true;
        }
    }
    let different = seen.iter().filter(|s| **s).count();
    let printable = sample.iter().filter(|b| (0x20..0x7f).contains(*b)).count();
    sample.len() >= 24 && different * 10 >= sample.len().min(150) * 7 && printable * 10 < sample.len() * 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ciphered_bytes_and_only_at_the_port() {
        let noise: Vec<u8> = (0..100_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(by_port(Over::TCP, [40_000, 22], &noise).map(|n| (n.name, n.engine)), Some(("ssh", "port")));
        assert_eq!(by_port(Over::TCP, [40_000, 23], &noise), None);
        assert_eq!(by_port(Over::TCP, [40_000, 22], &[7; 100]), None);
        assert_eq!(by_port(Over::TCP, [40_000, 22], b"plain text is not ciphered, of whatever length it may be"), None);
    }
}
