//! What a payload says beside its protocol's name: bounded, and printable whatever the packets held.

use std::borrow::Cow;

use crate::dpi::protocol::Name;
use crate::packet::Addr;

/// Facts kept per flow.
pub const MAX_ATTRS: usize = 16;
/// Bytes kept of one value.
pub const MAX_VALUE: usize = 200;
/// Names taken from one DNS answer.
const MAX_LEARNT: usize = 32;
/// Conversations announced by one message.
const MAX_EXPECTED: usize = 8;

/// A fact's name and value.
pub type Attr = (&'static str, String);

/// A conversation that another one announced: who will listen where, and what it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Listener; the default address stands for either end of the announcing conversation.
    pub addr: Addr,
    /// Listener's port.
    pub port: u16,
    /// What will be spoken.
    pub name: Name,
}

/// Facts of one conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Server's name: SNI, Host.
    pub host: Option<String>,
    /// The rest, in order of appearance.
    pub attrs: Vec<Attr>,
    /// Address and name, as DNS told.
    pub learnt: Vec<(Addr, String)>,
    /// Announced conversations.
    pub expected: Vec<Expected>,
}

impl Facts {
    /// Notes the server's name if it looks like one (RFC 1123 letters, digits, `-`, `.`, `_`; an address; brackets and a port are cut off).
    pub fn host(&mut self, name: &[u8]) {
        if let Some(host) = host_name(name) {
            self.host = Some(host);
        }
    }

    /// Notes a fact; the first value of a name stays.
    pub fn set(&mut self, name: &'static str, value: &[u8]) {
        if !value.is_empty() && self.attrs.len() < MAX_ATTRS && self.get(name).is_none() {
            self.attrs.push((name, printable(value)));
        }
    }

    /// Notes a fact that is text already.
    pub fn note(&mut self, name: &'static str, value: impl AsRef<str>) {
        self.set(name, value.as_ref().as_bytes());
    }

    /// A fact's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// DNS gave this address a name.
    pub fn learn(&mut self, addr: Addr, name: &str) {
        if self.learnt.len() < MAX_LEARNT {
            self.learnt.push((addr, name.to_owned()));
        }
    }

    /// This conversation announces another.
    pub fn expect(&mut self, addr: Addr, port: u16, name: Name) {
        if self.expected.len() < MAX_EXPECTED && port != 0 {
            self.expected.push(Expected { addr, port, name });
        }
    }

    /// Nothing noted.
    pub fn is_empty(&self) -> bool {
        self.host.is_none() && self.attrs.is_empty() && self.learnt.is_empty() && self.expected.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.host = None;
        self.attrs.clear();
        self.learnt.clear();
        self.expected.clear();
    }

    /// Takes over what another look found: a later host name replaces the earlier, other facts stay.
    pub fn merge(&mut self, other: &mut Self) {
        if other.host.is_some() {
            self.host = other.host.take();
        }
        for (name, value) in other.attrs.drain(..) {
            if self.attrs.len() < MAX_ATTRS && self.get(name).is_none() {
                self.attrs.push((name, value));
            }
        }
    }
}

/// Text for people from bytes of a packet: UTF-8 without control characters, at most [`MAX_VALUE`] bytes.
pub fn printable(bytes: &[u8]) -> String {
    let cut = bytes.get(..MAX_VALUE).unwrap_or(bytes);
    let text: Cow<'_, str> = String::from_utf8_lossy(cut);
    let mut clean: String = text.chars().map(|c| if is_plain(c) { c } else { '\u{b7}' }).collect();
    while clean.len() > MAX_VALUE {
        clean.pop();
    }
    clean
}

/// No control, no invisible or reordering character.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

/// A host name in lower case, without port and final dot; `None` if it is none.
pub fn host_name(name: &[u8]) -> Option<String> {
    let name = without_port(name);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let fits = (1..=253).contains(&name.len());
    let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'));
    let meaning = name.iter().any(u8::is_ascii_alphanumeric);
    if !(fits && plain && meaning) {
        return None;
    }
    Some(name.iter().map(|b| char::from(b.to_ascii_lowercase())).collect())
}

fn without_port(name: &[u8]) -> &[u8] {
    if let Some(inner) = name.strip_prefix(b"[") {
        return inner.split(|&b| b == b']').next().unwrap_or(inner);
    }
    let mut parts = name.split(|&b| b == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(port), None) if port.iter().all(u8::is_ascii_digit) => host,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_names() {
        assert_eq!(host_name(b"WWW.Example.com:8080").as_deref(), Some("www.example.com"));
        assert_eq!(host_name(b"[2001:db8::1]:80").as_deref(), Some("2001:db8::1"));
        assert_eq!(host_name(b"2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(host_name(b"a<script>"), None);
        assert_eq!(host_name(b"..."), None);
        assert_eq!(host_name(&[b'a'; 300]), None);
    }

    #[test]
    fn values_are_printable_and_bounded() {
        assert_eq!(printable(b"a\x1b[31mb\xff"), "a\u{b7}[31mb\u{b7}");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\u{b7}y");
        assert!(printable(&[0xff; 4000]).len() <= MAX_VALUE);
        let mut facts = Facts::default();
        facts.set("a", b"1");
        facts.set("a", b"2");
        assert_eq!(facts.get("a"), Some("1"));
    }
}
