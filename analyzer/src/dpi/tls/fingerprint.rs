//! Fingerprints of clients and servers: JA3 (salesforce/ja3) and JA4 (FoxIO-LLC/ja4, technical details JA4.md).

use md5::{Digest, Md5};
use sha2::Sha256;

use super::hello::{Hello, is_grease};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// MD5 in hexadecimal.
pub fn md5_hex(text: &[u8]) -> String {
    hex(&Md5::digest(text))
}

/// MD5 over version, ciphers, extensions, groups and point formats in order of appearance.
pub fn ja3(hello: &Hello) -> String {
    let list = |values: &[u16]| join(values.iter().filter(|v| !is_grease(**v)).map(u16::to_string), "-");
    let formats = join(hello.point_formats.iter().map(u8::to_string), "-");
    let text = [hello.version.to_string(), list(&hello.ciphers), list(&hello.extensions), list(&hello.groups), formats]
        .join(",");
    md5_hex(text.as_bytes())
}

/// MD5 over version, cipher and extensions of a ServerHello.
pub fn ja3s(hello: &Hello) -> String {
    let list = |values: &[u16]| join(values.iter().map(u16::to_string), "-");
    md5_hex([hello.version.to_string(), list(&hello.ciphers), list(&hello.extensions)].join(",").as_bytes())
}

/// JA4 with its transport: `t` TCP, `q` QUIC, `d` DTLS.
pub fn ja4(hello: &Hello, transport: char) -> String {
    let real = |values: &[u16]| values.iter().copied().filter(|v| !is_grease(*v)).collect::<Vec<_>>();
    let (ciphers, extensions) = (real(&hello.ciphers), real(&hello.extensions));
    let sni = if hello.extensions.contains(&0) { 'd' } else { 'i' };
    let head = format!(
        "{transport}{}{sni}{:02}{:02}{}",
        version(hello.best_version),
        ciphers.len().min(99),
        extensions.len().min(99),
        alpn(hello.alpn.first().map_or(&[][..], Vec::as_slice))
    );
    format!("{head}_{}_{}", cipher_part(ciphers), extension_part(extensions, &hello.signatures))
}

fn cipher_part(mut ciphers: Vec<u16>) -> String {
    ciphers.sort_unstable();
    digest(&join(ciphers.iter().map(|c| format!("{c:04x}")), ","))
}

fn extension_part(mut extensions: Vec<u16>, signatures: &[u16]) -> String {
    extensions.retain(|e| !matches!(e, 0 | 16));
    extensions.sort_unstable();
    let mut text = join(extensions.iter().map(|e| format!("{e:04x}")), ",");
    if !signatures.is_empty() {
        text.push('_');
        text.push_str(&join(signatures.iter().filter(|s| !is_grease(**s)).map(|s| format!("{s:04x}")), ","));
    }
    digest(&text)
}

fn digest(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    hex(Sha256::digest(text.as_bytes()).get(..6).unwrap_or_default())
}

fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 | 0x0200 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

fn alpn(first: &[u8]) -> String {
    let (Some(&a), Some(&z)) = (first.first(), first.last()) else { return "00".to_owned() };
    if a.is_ascii_alphanumeric() && z.is_ascii_alphanumeric() {
        return [char::from(a), char::from(z)].iter().collect();
    }
    let digits = hex(first);
    digits.chars().take(1).chain(digits.chars().last()).collect()
}

fn join(parts: impl Iterator<Item = String>, with: &str) -> String {
    parts.collect::<Vec<_>>().join(with)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of JA4's technical details.
    #[test]
    fn ja4_of_the_worked_example() {
        let hello = Hello {
            version: 0x0303,
            best_version: 0x0304,
            ciphers: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
                0x002f, 0x0035,
            ],
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
                0x000b, 0x000a, 0x0015,
            ],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            alpn: vec![b"h2".to_vec()],
            ..Hello::default()
        };
        assert_eq!(ja4(&hello, 't'), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }
}
