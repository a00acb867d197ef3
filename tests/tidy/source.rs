//! The files of the repository, and just enough of Rust's grammar to ask them questions.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root: this package's folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository with its path from the root; not what is built, fetched or git's own.
pub fn files() -> Vec<(String, PathBuf)> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    assert!(found.len() > 20, "the walk found only {} files: it is broken", found.len());
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a folder's entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["target", ".git", "node_modules", "artifacts", "corpus"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push((relative.to_string_lossy().into_owned(), path));
        }
    }
}

/// Product code: Rust files under a room's `src`, without its `#[cfg(test)]` parts; comments and literals blanked.
pub fn product() -> Vec<Rust> {
    let mut all = Vec::new();
    for (path, full) in files() {
        let in_src = path.starts_with("src/") || path.contains("/src/");
        let is_test_file = path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_test.rs");
        if path.ends_with(".rs") && in_src && !is_test_file {
            let text = fs::read_to_string(&full).expect("Rust source is UTF-8");
            all.push(Rust::new(path, &text));
        }
    }
    assert!(all.iter().any(|f| f.path.starts_with("analyzer/")), "no product code found");
    all
}

/// A Rust file, in two views of the same shape (same lines, same columns in bytes).
pub struct Rust {
    /// From the repository's root.
    pub path: String,
    /// As written.
    pub text: String,
    /// Comments, literals' insides and test modules replaced by blanks.
    pub code: String,
    /// The insides of string literals outside test modules.
    pub strings: Vec<String>,
}

impl Rust {
    /// Reads a file's text.
    pub fn new(path: String, text: &str) -> Self {
        let (code, literals) = blank(text);
        let tests = test_ranges(&code);
        let outside = |at: usize| !tests.iter().any(|r| r.contains(&at));
        let strings = literals.iter().filter(|r| outside(r.start)).map(|r| text[r.clone()].to_owned()).collect();
        let code = code
            .bytes()
            .enumerate()
            .map(|(at, b)| if outside(at) || b == b'\n' { char::from(b) } else { ' ' })
            .collect();
        Self { path, text: text.to_owned(), code, strings }
    }

    /// The room that the file stands in: the first folder.
    pub fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Lines (from 1) where `word` stands as a whole word or path in code.
    pub fn lines_with(&self, word: &str) -> Vec<usize> {
        let is_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let bytes = self.code.as_bytes();
        let whole = |at: usize| {
            let before = at.checked_sub(1).and_then(|i| bytes.get(i));
            !is_word(before) && !is_word(bytes.get(at + word.len()))
        };
        self.code.match_indices(word).filter(|(at, _)| whole(*at)).map(|(at, _)| line_of(&self.code, at)).collect()
    }

    /// Functions with a body: name, line of `fn`, length in lines.
    pub fn functions(&self) -> Vec<(String, usize, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let before = self.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let name: String = self.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let (false, Some(end)) = (name.is_empty(), body_end(&self.code, at)) {
                let first = line_of(&self.code, at);
                found.push((name, first, line_of(&self.code, end) - first + 1));
            }
        }
        found
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1
}

/// Where the body of the item at `at` closes; absent where the item has none.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (offset, b) in code.as_bytes()[at..].iter().enumerate() {
        match b {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && others == 0 {
                    return Some(at + offset);
                }
            }
            b';' if braces == 0 && others == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Items under `#[cfg(test)]`, from the attribute to the closing brace.
fn test_ranges(code: &str) -> Vec<std::ops::Range<usize>> {
    let marks = code.match_indices("#[cfg(test)]");
    marks.filter_map(|(at, mark)| body_end(code, at + mark.len()).map(|end| at..end + 1)).collect()
}

/// Blanks comments and the insides of literals; says where the string literals' insides are.
fn blank(text: &str) -> (String, Vec<std::ops::Range<usize>>) {
    let bytes = text.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut strings = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (end, literal) = token(text, at);
        let keep = literal.is_none() && !text[at..].starts_with("//") && !text[at..].starts_with("/*");
        for &b in &bytes[at..end] {
            out.push(if (keep && b.is_ascii()) || b == b'\n' { b } else { b' ' });
        }
        strings.extend(literal);
        at = end;
    }
    (String::from_utf8(out).expect("only ASCII is kept"), strings)
}

/// The end of the comment, literal or single byte at `at`, and the inside of it if it is a literal.
fn token(text: &str, at: usize) -> (usize, Option<std::ops::Range<usize>>) {
    let bytes = text.as_bytes();
    let rest = &text.as_bytes()[at..];
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return (at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with(b"/*") {
        return (at + comment_len(rest), None);
    }
    if rest[0] == b'"' {
        let end = at + quoted_len(rest, b'"');
        return (end, Some(at + 1..(end - 1).max(at + 1)));
    }
    let may_be_raw = rest[0] == b'r' && (!after_word || bytes[at - 1] == b'b');
    if let Some(end) = may_be_raw.then(|| raw_len(text, at)).flatten() {
        return (end, Some(at + 1..end));
    }
    if rest[0] == b'\'' && is_char(rest) {
        let end = at + quoted_len(rest, b'\'');
        return (end, Some(at + 1..(end - 1).max(at + 1)));
    }
    (at + text[floor(text, at)..].chars().next().map_or(1, char::len_utf8), None)
}

/// The character boundary at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn comment_len(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_len(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#`: where it ends; absent where it is none.
fn raw_len(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at + 1..];
    let hashes = rest.bytes().take_while(|b| *b == b'#').count();
    let inside = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(at + 1 + hashes + 1 + inside.find(&close)? + close.len())
}

/// A character literal rather than a lifetime.
fn is_char(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(b) if b.is_ascii() => rest.get(2) == Some(&b'\''),
        Some(_) => rest.iter().skip(2).take(4).any(|b| *b == b'\''),
        None => false,
    }
}

/// The reader must see what it claims to see.
#[test]
fn the_reader_of_sources_works() {
    let text = "//! doc unsafe\nfn a<'x>(c: &'x str) -> char {\n    let s = r#\"fn hidden() { \"unsafe\" }\"#;\n    '{'\n}\n\
                #[cfg(test)]\nmod tests {\n    fn t() { std::fs::read(\"x\"); }\n}\nfn b();\nfn c() { /* { */ unsafe {} }\n";
    let file = Rust::new("x.rs".into(), text);
    assert_eq!(file.functions(), vec![("a".into(), 2, 4), ("c".into(), 11, 1)]);
    assert_eq!(file.lines_with("unsafe"), vec![11]);
    assert!(file.lines_with("std::fs").is_empty());
    assert_eq!(file.strings.len(), 2, "{:?}", file.strings);
}
