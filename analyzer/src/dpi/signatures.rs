//! Users' own signatures, read from TOML at the start.

use super::protocol::{Look, Name};

/// All of them, ready to match.
#[derive(Debug, Default)]
pub struct Signatures {}

impl Signatures {
    /// The name of the first signature that this payload matches.
    pub fn match_payload(&self, _look: &Look<'_>) -> Option<Name> {
        None
    }

    /// The name for a server's name.
    pub fn match_host(&self, _host: &str) -> Option<Name> {
        None
    }
}
