//! From what is written to what matches, with every mistake named.

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::file::{SignatureError, Written, WrittenPattern};
use super::{At, Host, MAX_SIGNATURES, SEARCHED, Signature, Signatures};
use crate::dpi::facts::host_name;
use crate::dpi::protocol::{Name, Over};

/// Bytes of one pattern.
const MAX_PATTERN: usize = 256;
/// Memory of one compiled regular expression.
const MAX_REGEX: usize = 1 << 20;

/// A pattern without an offset.
type Anywhere = (usize, Vec<u8>);

/// Checks and prepares all.
pub fn compile(written: Vec<Written>) -> Result<Signatures, SignatureError> {
    if written.len() > MAX_SIGNATURES {
        return Err(SignatureError::TooMany { found: written.len(), most: MAX_SIGNATURES });
    }
    let mut all = Vec::with_capacity(written.len());
    let mut anywhere: Vec<Anywhere> = Vec::new();
    for (i, one) in written.into_iter().enumerate() {
        let label = one.name.clone();
        let signature = signature(i, one, &mut anywhere).map_err(|why| SignatureError::Signature {
            number: i + 1,
            name: label,
            why,
        })?;
        all.push(signature);
    }
    let (owners, patterns): (Vec<usize>, Vec<Vec<u8>>) = anywhere.into_iter().unzip();
    let finder =
        finder(&patterns).map_err(|why| SignatureError::Signature { number: 0, name: "all".to_owned(), why })?;
    let payload = all.iter().any(|s: &Signature| s.host.is_none());
    let hosts = all.iter().any(|s| s.host.is_some());
    Ok(Signatures { all, finder, owners, payload, hosts })
}

fn finder(patterns: &[Vec<u8>]) -> Result<Option<AhoCorasick>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    // Every occurrence counts, overlapping ones too: a signature may demand several patterns.
    AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns).map(Some).map_err(|e| e.to_string())
}

fn signature(index: usize, one: Written, anywhere: &mut Vec<Anywhere>) -> Result<Signature, String> {
    let name = name(one.name)?;
    let over = over(one.over.as_deref())?;
    let host = one.host.as_deref().map(host).transpose()?;
    if host.is_some() && (!one.pattern.is_empty() || one.regex.is_some()) {
        return Err("host stands alone: write a second signature for the bytes".to_owned());
    }
    if host.is_none() && one.pattern.is_empty() && one.regex.is_none() {
        return Err("it states no pattern, no regex and no host: a port alone proves nothing".to_owned());
    }
    let (mut at, mut floating) = (Vec::new(), 0);
    for written in one.pattern {
        match pattern(written)? {
            Pattern::At(one) => at.push(one),
            Pattern::Anywhere(bytes) => {
                floating += 1;
                anywhere.push((index, bytes));
            }
        }
    }
    let regex = one.regex.as_deref().map(regex).transpose()?;
    Ok(Signature { name, over, ports: one.ports, at, anywhere: floating, regex, host })
}

/// Names live as long as the program: they stand in every flow. The file's bound on signatures bounds them.
fn name(name: String) -> Result<Name, String> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain || name.is_empty() || name.len() > 40 {
        return Err("a name has 1 to 40 lower-case letters, digits and hyphens".to_owned());
    }
    Ok(Box::leak(name.into_boxed_str()))
}

fn over(over: Option<&str>) -> Result<Over, String> {
    match over {
        None | Some("both") => Ok(Over::BOTH),
        Some("tcp") => Ok(Over::TCP),
        Some("udp") => Ok(Over::UDP),
        Some(other) => Err(format!("over is `{other}`; write tcp, udp or both")),
    }
}

fn host(text: &str) -> Result<Host, String> {
    let domain = text.strip_prefix("*.");
    let clean = host_name(domain.unwrap_or(text).as_bytes())
        .ok_or_else(|| format!("host `{text}` is no name; write storage.example or *.storage.example"))?;
    Ok(if domain.is_some() { Host::Below(clean) } else { Host::Exact(clean) })
}

fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(MAX_REGEX)
        .dfa_size_limit(MAX_REGEX)
        .build()
        .map_err(|why| format!("regex `{text}`: {why}"))
}

enum Pattern {
    At(At),
    Anywhere(Vec<u8>),
}

fn pattern(written: WrittenPattern) -> Result<Pattern, String> {
    let bytes = match (written.hex, written.text) {
        (Some(digits), None) => unhex(&digits)?,
        (None, Some(text)) => text.into_bytes(),
        _ => return Err("a pattern has either hex or text".to_owned()),
    };
    if bytes.is_empty() || bytes.len() > MAX_PATTERN {
        return Err(format!("a pattern has 1 to {MAX_PATTERN} bytes, this one {}", bytes.len()));
    }
    match (written.offset, written.mask) {
        (None, Some(_)) => Err("a mask needs an offset".to_owned()),
        (None, None) if bytes.len() < 3 => Err("a pattern without an offset has at least 3 bytes".to_owned()),
        (None, None) => Ok(Pattern::Anywhere(bytes)),
        (Some(offset), _) if offset > SEARCHED => {
            Err(format!("offset {offset} is beyond the {SEARCHED} bytes that are looked at"))
        }
        (Some(offset), mask) => masked(offset, bytes, mask).map(Pattern::At),
    }
}

fn masked(offset: usize, bytes: Vec<u8>, mask: Option<String>) -> Result<At, String> {
    let mask = mask.map_or_else(|| Ok(vec![0xff; bytes.len()]), |digits| unhex(&digits))?;
    if mask.len() != bytes.len() {
        return Err(format!("the mask has {} bytes, the pattern {}", mask.len(), bytes.len()));
    }
    if mask.iter().all(|m| *m == 0) {
        return Err("the mask lets every bit through: it matches everything".to_owned());
    }
    Ok(At { offset, bytes, mask })
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return Err(format!("`{text}` has an odd number of hexadecimal digits"));
    }
    digits.chunks_exact(2).map(|pair| byte(pair).ok_or_else(|| format!("`{text}` is not hexadecimal"))).collect()
}

fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |i: usize| pair.get(i).and_then(|b| char::from(*b).to_digit(16));
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}
