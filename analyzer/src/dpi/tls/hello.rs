//! ClientHello and ServerHello (RFC 8446 4.1.2 and 4.1.3, RFC 5246 7.4.1).

use crate::dpi::bytes::Bytes;

/// Most values of one list that are kept.
const MAX_LIST: usize = 128;

/// What a hello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Legacy version field.
    pub version: u16,
    /// Highest of supported_versions (a server's: the chosen one), else the legacy one.
    pub best_version: u16,
    /// Cipher suites offered; a server's: the chosen one.
    pub ciphers: Vec<u16>,
    /// Extension types in order.
    pub extensions: Vec<u16>,
    /// Supported groups.
    pub groups: Vec<u16>,
    /// EC point formats.
    pub point_formats: Vec<u8>,
    /// Signature algorithms.
    pub signatures: Vec<u16>,
    /// Server name.
    pub sni: Option<Vec<u8>>,
    /// ALPN protocols.
    pub alpn: Vec<Vec<u8>>,
    /// The message was whole: lists are complete.
    pub whole: bool,
}

/// Reserved values that clients send to keep servers tolerant (RFC 8701).
pub fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A ClientHello's body, as far as it is there. `datagram` is DTLS, whose hello carries a cookie. `None`: not one.
pub fn client(body: &[u8], datagram: bool) -> Option<Hello> {
    let version = body.be16(0)?;
    let known =
        if datagram { version == 0x0100 || version >> 8 == 0xfe } else { version >> 8 == 3 || version >> 8 == 2 };
    let session = usize::from(body.u8(34)?);
    if !known || session > 32 {
        return None;
    }
    let mut at = 35 + session;
    if datagram {
        at += 1 + usize::from(body.u8(at)?);
    }
    let ciphers = usize::from(body.be16(at)?);
    if ciphers == 0 || ciphers % 2 == 1 {
        return None;
    }
    let mut hello = Hello {
        version,
        best_version: version,
        ciphers: list16(body.from(at + 2).first_of(ciphers)),
        ..Hello::default()
    };
    let compression = at + 2 + ciphers;
    if let Some(methods) = body.u8(compression) {
        if methods == 0 {
            return None;
        }
        hello.take_extensions(body.from(compression + 1 + usize::from(methods)), false);
    }
    Some(hello)
}

/// A ServerHello's body.
pub fn server(body: &[u8], datagram: bool) -> Option<Hello> {
    let version = body.be16(0)?;
    let session = usize::from(body.u8(34)?);
    let known = if datagram { version == 0x0100 || version >> 8 == 0xfe } else { version >> 8 == 3 };
    if !known || session > 32 {
        return None;
    }
    let cipher = body.be16(35 + session)?;
    let mut hello = Hello { version, best_version: version, ciphers: vec![cipher], ..Hello::default() };
    hello.take_extensions(body.from(38 + session), true);
    Some(hello)
}

impl Hello {
    fn take_extensions(&mut self, block: &[u8], server: bool) {
        let Some(total) = block.be16(0) else {
            self.whole = block.is_empty();
            return;
        };
        let all = block.from(2).first_of(usize::from(total));
        self.whole = all.len() == usize::from(total);
        let mut at = 0;
        while let (Some(kind), Some(len)) = (all.be16(at), all.be16(at + 2)) {
            if self.extensions.len() >= MAX_LIST {
                break;
            }
            self.extensions.push(kind);
            self.extension(kind, all.from(at + 4).first_of(usize::from(len)), server);
            at += 4 + usize::from(len);
        }
    }

    fn extension(&mut self, kind: u16, data: &[u8], server: bool) {
        match kind {
            0 if data.u8(2) == Some(0) => {
                let len = data.be16(3).unwrap_or(0);
                self.sni = data.part(5, usize::from(len)).map(<[u8]>::to_vec);
            }
            10 => self.groups = list16(data.from(2)),
            11 => self.point_formats = data.from(1).first_of(MAX_LIST).to_vec(),
            13 => self.signatures = list16(data.from(2)),
            16 => self.alpn = names(data.from(2)),
            43 if server => self.best_version = data.be16(0).unwrap_or(self.version),
            43 => {
                let offered = list16(data.from(1));
                self.best_version =
                    offered.into_iter().filter(|v| !is_grease(*v)).max_by_key(|v| rank(*v)).unwrap_or(self.version);
            }
            _ => {}
        }
    }
}

/// DTLS counts its versions downwards.
fn rank(version: u16) -> u16 {
    if version >> 8 == 0xfe { 0x0400 - (version & 0xff) } else { version }
}

fn list16(data: &[u8]) -> Vec<u16> {
    data.chunks_exact(2).take(MAX_LIST).map(|c| u16::from_be_bytes([c[0], c[1]])).collect()
}

fn names(data: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(len) = data.u8(at).map(usize::from) {
        let Some(name) = data.part(at + 1, len).filter(|n| !n.is_empty() && found.len() < 16) else { break };
        found.push(name.to_vec());
        at += 1 + len;
    }
    found
}

/// A version for people.
pub fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0002 | 0x0200 => "SSL 2.0",
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 | 0x7f00..=0x7fff => "TLS 1.3",
        0xfeff | 0x0100 => "DTLS 1.0",
        0xfefd => "DTLS 1.2",
        0xfefc => "DTLS 1.3",
        _ => return None,
    })
}
