//! Capture files, byte by byte.

pub struct Bytes {
    pub big: bool,
    pub file: Vec<u8>,
}

impl Bytes {
    pub fn new(big: bool) -> Self {
        Self { big, file: Vec::new() }
    }

    pub fn half(&mut self, h: u16) -> &mut Self {
        self.file.extend(if self.big { h.to_be_bytes() } else { h.to_le_bytes() });
        self
    }

    pub fn word(&mut self, w: u32) -> &mut Self {
        self.file.extend(if self.big { w.to_be_bytes() } else { w.to_le_bytes() });
        self
    }

    pub fn double(&mut self, d: u64) -> &mut Self {
        self.file.extend(if self.big { d.to_be_bytes() } else { d.to_le_bytes() });
        self
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.file.extend(bytes);
        self
    }

    pub fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.raw(bytes).raw(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()])
    }

    /// A pcapng option.
    pub fn option(&mut self, code: u16, value: &[u8]) -> &mut Self {
        self.half(code).half(value.len() as u16).padded(value)
    }

    /// A pcapng block around what `body` writes.
    pub fn block(&mut self, kind: u32, body: impl FnOnce(&mut Bytes)) -> &mut Self {
        let mut inner = Bytes::new(self.big);
        body(&mut inner);
        let len = inner.file.len() as u32 + 12;
        self.word(kind).word(len).raw(&inner.file).word(len)
    }

    pub fn section(&mut self) -> &mut Self {
        self.block(0x0a0d_0d0a, |b| {
            b.word(0x1a2b_3c4d).half(1).half(0).double(u64::MAX);
        })
    }

    pub fn interface(&mut self, link_type: u16, options: impl FnOnce(&mut Bytes)) -> &mut Self {
        self.block(1, |b| {
            b.half(link_type).half(0).word(0);
            options(b);
        })
    }

    pub fn enhanced(
        &mut self,
        interface: u32,
        ticks: u64,
        frame: &[u8],
        options: impl FnOnce(&mut Bytes),
    ) -> &mut Self {
        self.block(6, |b| {
            b.word(interface).word((ticks >> 32) as u32).word(ticks as u32);
            b.word(frame.len() as u32).word(frame.len() as u32 + 4).padded(frame);
            options(b);
        })
    }
}

pub fn nothing(_: &mut Bytes) {}

/// A classic pcap file of records of (second, fraction, bytes), each 4 bytes longer on the wire.
pub fn classic(magic: u32, big: bool, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = Bytes::new(big);
    file.word(magic).half(2).half(4).raw(&[0; 8]).word(65535).word(1);
    for (seconds, fraction, bytes) in records {
        let len = bytes.len() as u32;
        file.word(*seconds).word(*fraction).word(len).word(len + 4).raw(bytes);
    }
    file.file
}
