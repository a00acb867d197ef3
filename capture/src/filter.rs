//! BPF expressions, compiled by libpcap for each link type and run over each frame.

use pcap::{BpfInstruction, BpfProgram, Capture, Linktype};

use crate::error::OpenError;
use crate::frame::LinkType;

/// An expression compiled for the link types met so far.
pub(crate) struct Filter {
    expression: String,
    programs: Vec<(LinkType, Result<Program, String>)>,
}

impl Filter {
    /// For `expression`; nothing is compiled yet.
    pub(crate) fn new(expression: &str) -> Self {
        Self { expression: expression.to_owned(), programs: Vec::new() }
    }

    /// The program for frames of a link type, or why there is none, in libpcap's words.
    pub(crate) fn program(&mut self, link_type: LinkType) -> Result<&Program, &str> {
        let known = self.programs.iter().position(|(l, _)| *l == link_type);
        let at = known.unwrap_or_else(|| {
            self.programs.push((link_type, Program::compile(link_type, &self.expression)));
            self.programs.len() - 1
        });
        match self.programs.get(at) {
            Some((_, Ok(program))) => Ok(program),
            Some((_, Err(reason))) => Err(reason),
            None => Err("no program"),
        }
    }
}

/// Checks an expression against the link types of an input.
///
/// # Errors
/// When it can be compiled for none of them.
pub(crate) fn check(expression: &str, link_types: &[LinkType]) -> Result<(), OpenError> {
    let ethernet = [LinkType::Ethernet];
    let tried = if link_types.is_empty() { &ethernet[..] } else { link_types };
    let mut filter = Filter::new(expression);
    let failures: Vec<(String, String)> =
        tried.iter().filter_map(|l| filter.program(*l).err().map(|e| (l.name(), e.to_owned()))).collect();
    match failures.first() {
        Some((link_type, message)) if failures.len() == tried.len() => Err(OpenError::Filter {
            expression: expression.to_owned(),
            link_type: link_type.clone(),
            message: message.clone(),
        }),
        _ => Ok(()),
    }
}

/// A compiled expression.
pub(crate) struct Program(BpfProgram);

impl Program {
    /// Compiles an expression for frames of a link type; an error is libpcap's message.
    pub(crate) fn compile(link_type: LinkType, expression: &str) -> Result<Self, String> {
        // libpcap numbers its link types as files do, but for raw IP (DLT_RAW on Linux).
        let number = if link_type == LinkType::RawIp { 12 } else { i32::from(link_type.number()) };
        let dead = Capture::dead(Linktype(number)).map_err(|e| e.to_string())?;
        dead.compile(expression, true).map(Self).map_err(|e| e.to_string())
    }

    /// The instructions, as a socket takes them.
    pub(crate) fn instructions(&self) -> &[BpfInstruction] {
        self.0.get_instructions()
    }

    /// The instructions, as the classic machine of the kernel has them.
    #[allow(unsafe_code)]
    pub(crate) fn classic(&self) -> Vec<libc::sock_filter> {
        let all = self.instructions();
        // SAFETY: `BpfInstruction` is a transparent wrapper of `struct bpf_insn`, which has the fields of `struct sock_filter` in the
        // same places: code, jt, jf, k.
        unsafe { std::slice::from_raw_parts(all.as_ptr().cast(), all.len()) }.to_vec()
    }

    /// Whether a frame matches, given its captured bytes and its length on the wire.
    #[allow(unsafe_code)]
    pub(crate) fn matches(&self, bytes: &[u8], wire_len: u32) -> bool {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // SAFETY: the instructions were compiled and validated by libpcap and live as long as `self`; `bpf_filter` reads
        // at most `len` bytes of the frame, and `len` is not more than the slice holds.
        unsafe { bpf_filter(self.instructions().as_ptr(), bytes.as_ptr(), wire_len, len) != 0 }
    }
}

#[allow(unsafe_code)]
// SAFETY: declared in <pcap/bpf.h>: u_int bpf_filter(const struct bpf_insn *, const u_char *, u_int, u_int);
// `BpfInstruction` is a transparent wrapper of `struct bpf_insn`.
unsafe extern "C" {
    fn bpf_filter(program: *const BpfInstruction, frame: *const u8, wire_len: u32, captured_len: u32) -> u32;
}
