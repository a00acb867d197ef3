//! The signature file as it is written.

use serde::Deserialize;
use thiserror::Error;

/// Why a signature file cannot be used.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// Not TOML, or a key that no signature has.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// More than are taken.
    #[error("{found} signatures; at most {most} are taken")]
    TooMany {
        /// As written.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// One signature is wrong.
    #[error("signature {number} ({name}): {why}")]
    Signature {
        /// From 1.
        number: usize,
        /// Its name as written.
        name: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    signature: Vec<Written>,
}

/// One `[[signature]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The name that flows get.
    pub name: String,
    /// `tcp`, `udp` or `both`.
    #[serde(default)]
    pub over: Option<String>,
    /// One of these ports must take part.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Byte patterns; all must occur.
    #[serde(default)]
    pub pattern: Vec<WrittenPattern>,
    /// A regular expression over bytes.
    #[serde(default)]
    pub regex: Option<String>,
    /// SNI or Host.
    #[serde(default)]
    pub host: Option<String>,
}

/// One byte pattern.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPattern {
    /// Hexadecimal, blanks allowed.
    #[serde(default)]
    pub hex: Option<String>,
    /// Or as text.
    #[serde(default)]
    pub text: Option<String>,
    /// Where it stands; absent: anywhere.
    #[serde(default)]
    pub offset: Option<usize>,
    /// Which bits count, hexadecimal, as long as the bytes.
    #[serde(default)]
    pub mask: Option<String>,
}

/// Reads the text, without judging the signatures.
pub fn read(text: &str) -> Result<Vec<Written>, SignatureError> {
    Ok(toml::from_str::<File>(text)?.signature)
}
