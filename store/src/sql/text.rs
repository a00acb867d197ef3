//! Text inside SQL. Names come from packets: every byte that could mean anything to the parser is written as `\xHH`.

use std::fmt::Write;

/// A string literal that holds exactly these bytes.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b" _-.:>/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out.push('\'');
    out
}

/// An identifier in backquotes, for names that a user chose (a database, a cluster).
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// What may be shown of a message from outside: one line, bounded.
pub fn shown(message: &str, at_most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = message.chars().take(at_most).map(clean).collect();
    if message.chars().nth(at_most).is_some() {
        line.push_str(" ...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_literal_can_end_it() {
        assert_eq!(literal("it's \\ \0 é ?"), r"'it\x27s \x5C \x00 \xC3\xA9 \x3F'");
        assert_eq!(identifier("a`b\\"), "`a\\`b\\\\`");
    }

    #[test]
    fn a_message_is_one_bounded_line() {
        assert_eq!(shown("a\nb\0c", 10), "a b c");
        assert_eq!(shown("abcdef", 3), "abc ...");
    }
}
