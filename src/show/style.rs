//! Colour, width, and text that cannot harm a terminal.

use std::io::IsTerminal;

use analyzer::report::Severity;

/// Width where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 120;

/// How text is set.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Use colour.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

/// What a stretch of text is, hence its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Body.
    Plain,
    /// Headings and names.
    Strong,
    /// What may be passed over.
    Dim,
    /// All is well.
    Good,
    /// Information.
    Info,
    /// Warning.
    Warning,
    /// Critical.
    Critical,
}

impl From<Severity> for Ink {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl Style {
    /// As standard output is: colour only on a terminal, and not where NO_COLOR asks for none (no-color.org).
    pub fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let width = terminal_size::terminal_size().map_or(DEFAULT_WIDTH, |(w, _)| usize::from(w.0));
        Self { colour: wanted && std::io::stdout().is_terminal(), width: width.clamp(60, 240) }
    }

    /// `text` in an ink.
    pub fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Strong => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Info => "36",
            Ink::Warning => "33",
            Ink::Critical => "1;31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Names come from packets and file names: control characters must not reach a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_bidi_control(c) { '?' } else { c }).collect()
}

/// Characters that reorder what stands around them.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `width` columns, the middle left out where it is longer: both ends of a link's name matter.
pub fn shorten(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= width {
        return text.to_owned();
    }
    let head = width.saturating_sub(2) / 2;
    let tail = width.saturating_sub(2 + head);
    let end = letters.get(letters.len() - tail..).unwrap_or_default();
    letters.iter().take(head).chain(&['.', '.']).chain(end).take(width).collect()
}

/// Lines of at most `width` columns, broken at spaces.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("leaf0->spine1", 20), "leaf0->spine1");
        assert_eq!(shorten("leaf0-spine1:leaf0>spine1", 11), "leaf..pine1");
        assert_eq!(shorten("abcdef", 1).chars().count(), 1);
    }

    #[test]
    fn nothing_that_moves_the_cursor_gets_through() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\n"), "a?[2Jb?c?");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), Vec::<String>::new());
    }
}
