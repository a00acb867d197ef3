//! The documentation of every kind, from the registry: `docs/findings.md`.

use std::fmt::Write as _;

use super::{KINDS, Kind, Knob, Preset};

/// The whole page.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for kind in KINDS {
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} |", kind.name, kind.title);
    }
    for kind in KINDS {
        describe(&mut text, kind);
    }
    text
}

const HEAD: &str = "# Findings

Written from the registry of detectors (`analyzer/src/detect.rs`); a test fails when the two differ.

A detector says what it sees in a tick. A finding opens with its first symptom, keeps the worst value and all evidence,
and closes after `hold_ms` without cause. There is one open finding per kind and subject. A finding that follows from
another names it in `cause`.

Thresholds stand in the configuration under `[findings]`: `preset = \"lossless\"` (lossless RoCE fabric), `\"lossy\"` (lossy
TCP data centre) or `\"lab\"` (lab capture), `off = [\"KIND\"]`, and single values under `[findings.thresholds.KIND]`.

| kind | what |
|---|---|
";

fn describe(text: &mut String, kind: &Kind) {
    let _ = writeln!(text, "\n## {}\n\n{}. {}\n\nWhat to do: {}\n", kind.name, kind.title, kind.shows, kind.advice);
    if !kind.follows.is_empty() {
        let causes: Vec<String> = kind.follows.iter().map(|f| format!("`{}`", f.kind)).collect();
        let _ = writeln!(text, "May follow from {}.\n", causes.join(", "));
    }
    let names = [Preset::Lossless, Preset::Lossy, Preset::Lab].map(Preset::title).join(" | ");
    let _ = writeln!(text, "| threshold | unit | {names} | what | source |\n|---|---|---|---|---|---|---|");
    for knob in kind.knobs {
        row(text, knob);
    }
}

fn row(text: &mut String, knob: &Knob) {
    let [lossless, lossy, lab] = knob.values;
    let _ = writeln!(
        text,
        "| `{}` | {} | {lossless} | {lossy} | {lab} | {} | {} |",
        knob.name, knob.unit, knob.what, knob.source
    );
}
