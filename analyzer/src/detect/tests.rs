//! The registry keeps its promises.

use super::*;

#[test]
fn every_kind_has_a_name_a_hold_and_sourced_thresholds() {
    for kind in KINDS {
        assert!(kind.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", kind.name);
        assert!(kind.knobs.iter().any(|k| k.name == "hold_ms"), "{} never closes", kind.name);
        assert!(kind.advice.ends_with('.') && kind.shows.ends_with('.'), "{}", kind.name);
        for knob in kind.knobs {
            assert!(
                !knob.unit.is_empty() && !knob.source.is_empty() && !knob.what.is_empty(),
                "{} {}",
                kind.name,
                knob.name
            );
        }
    }
}
