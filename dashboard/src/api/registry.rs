//! The registry of detectors as the page's help shows it.

use analyzer::detect::{KINDS, Kind, Knob};
use axum::Json;
use serde_json::{Value, json};

use super::params::Params;
use analyzer::verdict::side;

/// Every kind of finding: what shows it, what to do, its thresholds with their sources.
pub(super) async fn kinds(_: Params) -> Json<Value> {
    Json(json!({ "rows": KINDS.iter().map(|kind| of(kind)).collect::<Vec<_>>() }))
}

fn of(kind: &Kind) -> Value {
    json!({
        "kind": kind.name,
        "title": kind.title,
        "side": side(kind.name),
        "shows": kind.shows,
        "advice": kind.advice,
        "thresholds": kind.knobs.iter().map(threshold).collect::<Vec<_>>(),
        "follows": kind.follows.iter().map(|follows| follows.kind).collect::<Vec<_>>(),
    })
}

fn threshold(knob: &Knob) -> Value {
    let [lossless, lossy, lab] = knob.values;
    json!({
        "name": knob.name,
        "unit": knob.unit,
        "lossless": lossless,
        "lossy": lossy,
        "lab": lab,
        "what": knob.what,
        "source": knob.source,
    })
}
