//! The policy file as it is written.

use cel::{ParseErrors, Program};
use serde::Deserialize;
use thiserror::Error;

use super::{MAX_CONDITION, MAX_RULES, Rule, check};
use crate::report::Severity;

/// Why a policy cannot be used.
#[derive(Debug, Error, PartialEq)]
pub enum PolicyError {
    /// Not TOML, or a key that no rule has.
    #[error("{file}: {why}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong, with its line.
        why: String,
    },
    /// A rule is wrong.
    #[error("{file}, rule {number} ({rule}): {why}")]
    Rule {
        /// The file.
        file: String,
        /// From 1.
        number: usize,
        /// Its name as written.
        rule: String,
        /// What is wrong, where, and what would be right.
        why: String,
    },
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

/// One `[[rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    when: String,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    exclude: bool,
    #[serde(default)]
    advice: Option<String>,
}

/// Reads the rules and compiles them.
pub(super) fn read(text: &str, file: &str) -> Result<Vec<Rule>, PolicyError> {
    let form = |why: String| PolicyError::Form { file: file.to_owned(), why };
    let written: File = toml::from_str(text).map_err(|why| form(why.to_string()))?;
    if written.rule.is_empty() {
        return Err(form("no [[rule]] in it; docs/policy.md shows some".to_owned()));
    }
    if written.rule.len() > MAX_RULES {
        return Err(form(format!("{} rules; at most {MAX_RULES} are taken", written.rule.len())));
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(written.rule.len());
    for (number, rule) in (1..).zip(written.rule) {
        let wrong = |why| PolicyError::Rule { file: file.to_owned(), number, rule: rule.name.clone(), why };
        if rules.iter().any(|r| r.name == rule.name) {
            return Err(wrong("another rule has this name; findings are told apart by it".to_owned()));
        }
        let program = outcome(&rule).and_then(|()| compile(&rule.when)).map_err(wrong)?;
        let Written { name, severity, tag, exclude, advice, .. } = rule;
        rules.push(Rule { name, program, severity, tag, exclude, advice });
    }
    Ok(rules)
}

fn outcome(rule: &Written) -> Result<(), String> {
    let plain = |text: &str| !text.is_empty() && text.len() <= 80 && !text.chars().any(char::is_control);
    if !plain(&rule.name) {
        return Err("a name has 1 to 80 printable characters".to_owned());
    }
    if rule.tag.as_deref().is_some_and(|tag| !plain(tag) || tag.contains(',')) {
        return Err("a tag has 1 to 80 printable characters and no comma".to_owned());
    }
    if rule.severity.is_none() && rule.tag.is_none() && !rule.exclude {
        return Err(
            "it has no outcome: give severity = \"info\", \"warning\" or \"critical\" for a finding, tag = \"...\", \
                    or exclude = true"
                .to_owned(),
        );
    }
    Ok(())
}

/// A condition that reads, and whose names exist.
pub(super) fn compile(when: &str) -> Result<Program, String> {
    if when.len() > MAX_CONDITION {
        return Err(format!("the condition has {} characters; at most {MAX_CONDITION} are taken", when.len()));
    }
    let program = Program::compile(when).map_err(|why| reads(&why))?;
    check::names(&program)?;
    Ok(program)
}

/// What the parser holds against a condition: its first complaint, with its place.
fn reads(errors: &ParseErrors) -> String {
    let Some(first) = errors.errors.iter().max_by_key(|e| e.msg.starts_with("Syntax error")) else {
        return "the condition cannot be read".to_owned();
    };
    let (line, column) = first.pos;
    format!(
        "line {line}, column {column} of its condition: {}; docs/policy.md shows how conditions are written",
        first.msg
    )
}
