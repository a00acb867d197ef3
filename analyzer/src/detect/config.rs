//! Thresholds: each with its unit and source, three presets, and what a configuration changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{KINDS, Kind};

/// What kind of network is watched: the values that thresholds start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Lossless RoCE fabric: every loss and every pause matters.
    #[default]
    Lossless,
    /// Lossy TCP data centre: loss and marks belong to normal work.
    Lossy,
    /// Lab capture: emulated or slow hosts that stall by themselves, few packets.
    Lab,
}

impl Preset {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lossless => "lossless RoCE fabric",
            Self::Lossy => "lossy TCP data centre",
            Self::Lab => "lab capture",
        }
    }
}

/// One threshold of one kind.
#[derive(Debug)]
pub struct Knob {
    /// Name in the configuration; ends in its unit where it has one.
    pub name: &'static str,
    /// Unit for people: `packets`, `ms`, `share`.
    pub unit: &'static str,
    /// Value under each preset: lossless, lossy, lab.
    pub values: [f64; 3],
    /// What it decides.
    pub what: &'static str,
    /// Where the number comes from.
    pub source: &'static str,
}

impl Knob {
    fn value(&self, preset: Preset) -> f64 {
        let [lossless, lossy, lab] = self.values;
        match preset {
            Preset::Lossless => lossless,
            Preset::Lossy => lossy,
            Preset::Lab => lab,
        }
    }
}

/// The knob that every kind has: a finding closes after so long without cause.
pub const fn hold(ms: f64) -> Knob {
    Knob {
        name: "hold_ms",
        unit: "ms",
        values: [ms, ms, ms],
        what: "closes after so long without cause",
        source: "as long as the window that opens it",
    }
}

/// Preset and what differs from it. In TOML: `preset = "lossy"`, `off = ["reordering"]`, `[thresholds.ecn_congestion]`, `warn_share = 0.02`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectConfig {
    /// Values to start from.
    pub preset: Preset,
    /// Kinds not judged.
    pub off: Vec<String>,
    /// By kind, then by threshold.
    pub thresholds: BTreeMap<String, BTreeMap<String, f64>>,
    /// Findings open at once; further ones are counted, not kept.
    pub max_open: usize,
    /// Closed findings kept; the oldest of the mildest make room and are counted.
    pub max_closed: usize,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            preset: Preset::default(),
            off: Vec::new(),
            thresholds: BTreeMap::new(),
            max_open: 4096,
            max_closed: 16_384,
        }
    }
}

/// A configuration that names what does not exist.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ConfigError {
    /// No such kind.
    #[error("findings: there is no kind `{kind}`; kinds are {known}")]
    Kind {
        /// As written.
        kind: String,
        /// Those that exist.
        known: String,
    },
    /// No such threshold.
    #[error("findings: `{kind}` has no threshold `{name}`; it has {known}")]
    Threshold {
        /// Kind.
        kind: String,
        /// As written.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A number that is none, or negative.
    #[error("findings: `{kind}.{name}` is {value}; thresholds are finite and not negative")]
    Value {
        /// Kind.
        kind: String,
        /// Threshold.
        name: String,
        /// As written.
        value: f64,
    },
}

impl DetectConfig {
    /// Every name known, every number usable?
    ///
    /// # Errors
    /// Names the first kind or threshold that does not exist, or the value that cannot be one.
    pub fn check(&self) -> Result<(), ConfigError> {
        for kind in self.off.iter().chain(self.thresholds.keys()) {
            kind_of(kind)?;
        }
        for (kind, values) in &self.thresholds {
            let known = kind_of(kind)?;
            for (name, &value) in values {
                check_threshold(known, name, value)?;
            }
        }
        Ok(())
    }

    /// The thresholds of a kind.
    pub fn knobs(&self, kind: &Kind) -> Knobs {
        let own = self.thresholds.get(kind.name);
        let value = |k: &Knob| own.and_then(|o| o.get(k.name)).copied().unwrap_or_else(|| k.value(self.preset));
        Knobs(kind.knobs.iter().map(|k| (k.name, value(k))).collect())
    }

    /// Is the kind judged?
    pub fn is_on(&self, kind: &Kind) -> bool {
        !self.off.iter().any(|o| o == kind.name)
    }
}

fn kind_of(name: &str) -> Result<&'static Kind, ConfigError> {
    let known = || KINDS.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
    let found = KINDS.iter().find(|k| k.name == name).copied();
    found.ok_or_else(|| ConfigError::Kind { kind: name.to_owned(), known: known() })
}

fn check_threshold(kind: &Kind, name: &str, value: f64) -> Result<(), ConfigError> {
    let owned = || (kind.name.to_owned(), name.to_owned());
    if !kind.knobs.iter().any(|k| k.name == name) {
        let known = kind.knobs.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
        let (kind, name) = owned();
        return Err(ConfigError::Threshold { kind, name, known });
    }
    if !value.is_finite() || value < 0.0 {
        let (kind, name) = owned();
        return Err(ConfigError::Value { kind, name, value });
    }
    Ok(())
}

/// The thresholds of one kind, resolved.
#[derive(Clone, Debug)]
pub struct Knobs(Vec<(&'static str, f64)>);

impl Knobs {
    /// A threshold by name. One that the kind does not list is never reached.
    pub fn get(&self, name: &str) -> f64 {
        self.0.iter().find(|(n, _)| *n == name).map_or(f64::INFINITY, |&(_, value)| value)
    }

    /// A count.
    pub fn count(&self, name: &str) -> u64 {
        self.get(name) as u64
    }

    /// A time given in ms, in ns.
    pub fn ns(&self, name_ms: &str) -> u64 {
        (self.get(name_ms) * 1e6) as u64
    }
}
