//! The configuration file, and what the command line overrides of it.

use std::path::Path;

use analyzer::detect::{DetectConfig, Preset};
use serde::Deserialize;
use store::Retention;

use crate::failure::Failure;

/// What a configuration file may hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Presets and thresholds of the detectors.
    pub findings: DetectConfig,
    /// Days that ClickHouse keeps rows; where absent, as its tables have it.
    pub retention: Option<Retention>,
}

const TO_DO: &str = "docs/findings.md lists presets, kinds and thresholds";

impl Config {
    /// From a file, or the defaults; the preset's name stands above the file's.
    pub fn read(path: Option<&Path>, preset: Option<&str>) -> Result<Self, Failure> {
        let mut config = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|why| Failure::file("read", path, &why))?;
                Self::parse(&text, &path.display().to_string())?
            }
            None => Self::default(),
        };
        if let Some(name) = preset {
            config.findings.preset = preset_of(name)?;
        }
        Ok(config)
    }

    fn parse(text: &str, name: &str) -> Result<Self, Failure> {
        let failed = |why: &dyn std::fmt::Display| Failure::new(format!("cannot use {name}"), why, TO_DO);
        let config: Self = toml::from_str(text).map_err(|why| failed(&why))?;
        config.findings.check().map_err(|why| failed(&why))?;
        Ok(config)
    }
}

fn preset_of(name: &str) -> Result<Preset, Failure> {
    match name {
        "lossless" => Ok(Preset::Lossless),
        "lossy" => Ok(Preset::Lossy),
        "lab" => Ok(Preset::Lab),
        other => Err(Failure::new(format!("no preset is called {other}"), "there are lossless, lossy and lab", TO_DO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_and_unknown_ones_named() {
        let text = "[findings]\npreset = \"lossy\"\noff = [\"reordering\"]\n[findings.thresholds.ecn_congestion]\nwarn_share = 0.02\n";
        let config = Config::parse(text, "f.toml").unwrap();
        assert_eq!((config.findings.preset, config.findings.off.len()), (Preset::Lossy, 1));
        let retention = Config::parse("[retention]\nflows_days = 0\n", "f.toml").unwrap().retention.unwrap();
        assert_eq!((retention.flows_days, retention.metrics_days), (0, 30));
        let wrong = Config::parse("[findings.thresholds.ecn_congestion]\nwran_share = 1\n", "f.toml").unwrap_err();
        assert!(wrong.to_string().contains("wran_share"), "{wrong}");
        let unknown = Config::parse("[finding]\n", "f.toml").unwrap_err();
        assert!(unknown.to_string().contains("f.toml") && unknown.to_string().contains("finding"), "{unknown}");
    }

    #[test]
    fn the_command_line_overrides_the_preset() {
        assert_eq!(Config::read(None, Some("lab")).unwrap().findings.preset, Preset::Lab);
        assert!(Config::read(None, Some("loud")).is_err());
    }
}
