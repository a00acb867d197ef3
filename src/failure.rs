//! Why a command could not do its work, said so that the reader can act.

use std::fmt;
use std::path::Path;

/// What, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What could not be done, and where.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do about it; empty where there is nothing to add.
    pub to_do: String,
}

impl Failure {
    /// A failure.
    pub fn new(what: impl Into<String>, why: impl fmt::Display, to_do: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.to_string(), to_do: to_do.into() }
    }

    /// A file could not be used.
    pub fn file(doing: &str, path: &Path, why: &std::io::Error) -> Self {
        let to_do = match why.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check who may use it (ls -l)",
            std::io::ErrorKind::StorageFull => "make room on that disk",
            _ => "",
        };
        Self::new(format!("cannot {doing} {}", path.display()), why, to_do)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::show::style::clean;
        write!(f, "{}: {}", clean(&self.what), clean(&self.why))?;
        if self.to_do.is_empty() { Ok(()) } else { write!(f, "\n  to do: {}", self.to_do) }
    }
}

impl std::error::Error for Failure {}
