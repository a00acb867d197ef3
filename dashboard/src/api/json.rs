//! How answers look: times as strings, rates as whole numbers.

use serde::Serialize;
use serde_json::Value;

use super::ApiError;

/// Moments in ns since the epoch: past 2^53, where a browser's numbers lose digits. Durations stay numbers.
const MOMENTS: &[&str] = &[
    "from_ns",
    "to_ns",
    "first_ns",
    "last_ns",
    "since_ns",
    "until_ns",
    "at_ns",
    "start_ns",
    "end_ns",
    "max_100us_at_ns",
];

/// Maps whose keys come from elsewhere: left as they are.
const OPEN_MAPS: &[&str] = &["numbers", "opcodes", "refused", "not_kept"];

/// As JSON, with moments as strings.
pub(super) fn with_texts<T: Serialize>(what: &T) -> Result<Value, ApiError> {
    let mut value = serde_json::to_value(what)?;
    moments_to_text(&mut value);
    Ok(value)
}

fn moments_to_text(value: &mut Value) {
    match value {
        Value::Array(rows) => rows.iter_mut().for_each(moments_to_text),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if field.is_u64() && MOMENTS.contains(&name.as_str()) {
                    *field = Value::String(field.to_string());
                } else if !OPEN_MAPS.contains(&name.as_str()) {
                    moments_to_text(field);
                }
            }
        }
        _ => {}
    }
}

/// A column of a series, rounded to what a picture can show: the answer is a third as long.
pub(super) fn column(values: &[Option<f64>], digits: i32) -> Value {
    let unit = 10f64.powi(digits);
    values
        .iter()
        .map(|value| match value {
            // A whole number is written without ".0".
            Some(v) if digits == 0 && v.abs() < 9e15 => Value::from(v.round() as i64),
            Some(v) if v.is_finite() => Value::from((v * unit).round() / unit),
            _ => Value::Null,
        })
        .collect()
}

/// At most `max` characters, for echoing what came from outside.
pub(super) fn bounded(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}
