//! The user's policy: rules in CEL over flows, each with an outcome: a finding, a tag, or that later rules leave the flow alone.
//!
//! Rules are compiled and checked when they are loaded: a name that does not exist is an error there, not a rule that never holds.
//! They are evaluated when what is known of a flow changes, at most so many times a tick, never per packet. The file is described in
//! `docs/policy.md`.

mod check;
mod facts;
mod file;
mod judge;
#[cfg(test)]
mod tests;

use cel::Program;

use crate::report::Severity;

pub use facts::Owners;
pub use file::PolicyError;
pub use judge::Judge;

/// Rules of one file.
pub const MAX_RULES: usize = 256;
/// Characters of one condition.
pub const MAX_CONDITION: usize = 4_000;

/// One rule, compiled.
#[derive(Debug)]
struct Rule {
    name: String,
    program: Program,
    severity: Option<Severity>,
    tag: Option<String>,
    exclude: bool,
    advice: Option<String>,
}

/// The rules, in their order, and what the topology says of hosts and links.
#[derive(Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Variables that any rule uses.
    uses: Vec<&'static str>,
    owners: Owners,
}

impl Policy {
    /// Reads and checks a file's text; `name` is for messages.
    ///
    /// # Errors
    /// Names the file, the rule, the place in its condition, and what would be right.
    pub fn parse(text: &str, name: &str) -> Result<Self, PolicyError> {
        let rules = file::read(text, name)?;
        let used = |v: &&&str| rules.iter().any(|r| r.program.references().has_variable(v));
        let uses = facts::VARIABLES.iter().map(|(name, _)| name).filter(used).copied().collect();
        Ok(Self { rules, uses, owners: Owners::default() })
    }

    /// What the fabric's owner says of hosts and links.
    #[must_use]
    pub fn with(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// No rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
