//! Users' own signatures: read from TOML at the start, checked there, matched at the speed of built-in protocols.
//!
//! The format is described in `docs/signatures.md`.

mod compile;
mod file;

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

use super::bytes::Bytes;
use super::protocol::{Look, Name, Over};

pub use file::SignatureError;

/// Signatures of one file.
pub const MAX_SIGNATURES: usize = 1024;
/// Payload bytes that patterns without an offset and regular expressions look at.
pub const SEARCHED: usize = 2048;

/// Bytes at an offset, under a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
struct At {
    offset: usize,
    bytes: Vec<u8>,
    mask: Vec<u8>,
}

impl At {
    fn matches(&self, payload: &[u8]) -> bool {
        let Some(part) = payload.part(self.offset, self.bytes.len()) else { return false };
        part.iter().zip(&self.bytes).zip(&self.mask).all(|((p, b), m)| p & m == b & m)
    }
}

/// One signature: everything it states must hold.
#[derive(Debug)]
struct Signature {
    name: Name,
    over: Over,
    ports: Vec<u16>,
    at: Vec<At>,
    /// How many of its patterns have no offset.
    anywhere: usize,
    regex: Option<Regex>,
    host: Option<Host>,
}

/// A server's name: exact, or everything below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Exact(String),
    Below(String),
}

impl Host {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Below(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
            }
        }
    }
}

/// All of them, ready to match.
#[derive(Debug, Default)]
pub struct Signatures {
    all: Vec<Signature>,
    /// Finds every pattern without an offset in one pass; `owners` says whose each is.
    finder: Option<AhoCorasick>,
    owners: Vec<usize>,
    payload: bool,
    hosts: bool,
}

impl Signatures {
    /// Reads and checks a file's text.
    ///
    /// # Errors
    /// Says which signature is wrong, what was found and what to write instead.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        compile::compile(file::read(text)?)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name of the first signature that this payload matches.
    pub fn match_payload(&self, look: &Look<'_>) -> Option<Name> {
        if !self.payload {
            return None;
        }
        let found = self.found(look.here);
        let fits = |(i, s): &(usize, &Signature)| {
            s.host.is_none() && s.matches(look, found.iter().filter(|o| *o == i).count())
        };
        self.all.iter().enumerate().find(fits).map(|(_, s)| s.name)
    }

    /// The signature of each pattern that occurs, once per pattern.
    fn found(&self, payload: &[u8]) -> Vec<usize> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut patterns: Vec<usize> = finder
            .find_overlapping_iter(payload.first_of(SEARCHED))
            .take(4 * MAX_SIGNATURES)
            .map(|m| m.pattern().as_usize())
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns.into_iter().filter_map(|p| self.owners.get(p).copied()).collect()
    }

    /// The name for a server's name.
    pub fn match_host(&self, host: &str) -> Option<Name> {
        if !self.hosts {
            return None;
        }
        self.all.iter().find(|s| s.host.as_ref().is_some_and(|h| h.matches(host))).map(|s| s.name)
    }
}

impl Signature {
    fn matches(&self, look: &Look<'_>, patterns_found: usize) -> bool {
        self.over.meets(look.over)
            && (self.ports.is_empty() || look.ports_of(&self.ports))
            && patterns_found == self.anywhere
            && self.at.iter().all(|at| at.matches(look.here))
            && self.regex.as_ref().is_none_or(|r| r.is_match(look.here.first_of(SEARCHED)))
    }
}

#[cfg(test)]
mod tests;
