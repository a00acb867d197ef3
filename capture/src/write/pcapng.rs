//! Writes pcapng (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>), little-endian, times in nanoseconds.

use std::io::{self, Write};

use crate::frame::{Direction, Frame, Interface, InterfaceId};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_SPEED: u16 = 8;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const EPB_FLAGS: u16 = 2;
const ISB_IFDROP: u16 = 5;
/// Ticks of 10 to the minus 9 seconds.
const NANOSECONDS: u8 = 9;
/// Longest text of an option, in bytes; longer ones are cut.
const MAX_TEXT: usize = 4096;

/// Writes frames of several interfaces as one pcapng file.
///
/// The same frames, interfaces and losses give the same bytes. Errors are those of the output.
pub struct Writer<W: Write> {
    out: W,
    block: Vec<u8>,
    /// Of each interface described so far, in order: its number in the source, and the frames lost on it.
    interfaces: Vec<(InterfaceId, u64)>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file; `application` names the program that writes it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(out: W, application: &str) -> io::Result<Self> {
        Self::about(out, application, "")
    }

    /// Begins a file with a comment on all of it, unless that is empty.
    ///
    /// # Errors
    /// Those of the output.
    pub fn about(out: W, application: &str, comment: &str) -> io::Result<Self> {
        let mut writer = Self { out, block: Vec::with_capacity(16 * 1024), interfaces: Vec::new(), written: 0 };
        writer.begin(SECTION);
        writer.word(BYTE_ORDER);
        writer.word(1);
        // The section's length is not known.
        writer.double(u64::MAX);
        if !comment.is_empty() {
            writer.option(COMMENT, comment.as_bytes());
        }
        writer.option(SHB_USERAPPL, application.as_bytes());
        writer.end(true)?;
        Ok(writer)
    }

    /// Describes an interface, which its frames must follow.
    ///
    /// # Errors
    /// Those of the output.
    pub fn interface(&mut self, interface: &Interface) -> io::Result<()> {
        self.interfaces.push((interface.id, 0));
        self.begin(INTERFACE);
        self.word(u32::from(interface.link_type.number()));
        self.word(interface.snaplen);
        self.option(IF_NAME, interface.name.as_deref().unwrap_or(&interface.source).as_bytes());
        self.option(IF_DESCRIPTION, interface.source.as_bytes());
        self.option(IF_TSRESOL, &[NANOSECONDS]);
        if let Some(speed) = interface.speed_bps {
            self.option(IF_SPEED, &speed.to_le_bytes());
        }
        if interface.fcs_len > 0 {
            self.option(IF_FCSLEN, &[interface.fcs_len]);
        }
        self.end(true)
    }

    /// Writes a frame, with a comment that Wireshark shows beside it. A frame of an interface that was not described is
    /// left out.
    ///
    /// # Errors
    /// Those of the output.
    pub fn frame(&mut self, frame: &Frame<'_>, comment: Option<&str>) -> io::Result<()> {
        let Some(index) = self.index(frame.interface) else { return Ok(()) };
        self.begin(ENHANCED_PACKET);
        self.word(index as u32);
        self.time(frame.at_ns);
        self.word(frame.bytes.len() as u32);
        self.word(frame.wire_len);
        self.padded(frame.bytes);
        let flags: u32 = match frame.direction {
            Direction::Unknown => 0,
            Direction::In => 1,
            Direction::Out => 2,
        };
        if flags != 0 {
            self.option(EPB_FLAGS, &flags.to_le_bytes());
        }
        if let Some(comment) = comment {
            self.option(COMMENT, comment.as_bytes());
        }
        self.end(flags != 0 || comment.is_some())
    }

    /// Writes that frames were lost on an interface at about `at_ns`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) -> io::Result<()> {
        let Some(index) = self.index(interface) else { return Ok(()) };
        let Some((_, total)) = self.interfaces.get_mut(index) else { return Ok(()) };
        *total = total.saturating_add(count);
        let total = *total;
        self.begin(STATISTICS);
        self.word(index as u32);
        self.time(at_ns);
        self.option(ISB_IFDROP, &total.to_le_bytes());
        self.end(true)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Flushes the output and gives it back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn index(&self, interface: InterfaceId) -> Option<usize> {
        self.interfaces.iter().position(|(id, _)| *id == interface)
    }

    /// Type, and room for the length.
    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        self.word(0);
    }

    fn word(&mut self, word: u32) {
        self.block.extend_from_slice(&word.to_le_bytes());
    }

    fn double(&mut self, double: u64) {
        self.block.extend_from_slice(&double.to_le_bytes());
    }

    /// The upper half comes first, whatever the byte order.
    fn time(&mut self, at_ns: u64) {
        self.word((at_ns >> 32) as u32);
        self.word(at_ns as u32);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = value.get(..MAX_TEXT).unwrap_or(value);
        self.block.extend_from_slice(&code.to_le_bytes());
        self.block.extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.padded(value);
    }

    /// Ends the options, if there are any, and writes the block with its length at both ends.
    fn end(&mut self, options: bool) -> io::Result<()> {
        if options {
            self.word(0);
        }
        let len = self.block.len() as u32 + 4;
        self.word(len);
        self.block.iter_mut().skip(4).zip(len.to_le_bytes()).for_each(|(to, from)| *to = from);
        self.out.write_all(&self.block)?;
        self.written += u64::from(len);
        Ok(())
    }
}
