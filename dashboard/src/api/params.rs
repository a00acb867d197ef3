//! Query parameters, checked against the list of endpoints.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, MatchedPath, Query};
use axum::http::request::Parts;

use super::endpoints::{ENDPOINTS, Kind, Param};
use super::error::ApiError;
use super::json::bounded;

/// Checked values by name.
#[derive(Debug)]
pub(super) struct Params {
    known: &'static [Param],
    given: BTreeMap<&'static str, String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let known = ENDPOINTS.iter().find(|endpoint| endpoint.path == path).map_or(&[][..], |endpoint| endpoint.params);
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::query(format!("the query cannot be read: {error}")))?;
        let mut given = BTreeMap::new();
        for (name, value) in pairs.0 {
            let param = known.iter().find(|param| param.name == name).ok_or_else(|| unknown(&name, known))?;
            check(param, &value)?;
            if given.insert(param.name, value).is_some() {
                return Err(ApiError::parameter(param.name, format!("{name} is given twice")));
            }
        }
        Ok(Self { known, given })
    }
}

fn unknown(name: &str, known: &[Param]) -> ApiError {
    let names: Vec<_> = known.iter().map(|param| param.name).collect();
    let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    ApiError::query(format!("there is no parameter {:?} here; known: {list}", bounded(name, 64)))
}

fn check(param: &Param, value: &str) -> Result<(), ApiError> {
    let wanted = match param.kind {
        Kind::Ns if value.parse::<u64>().is_ok() => return Ok(()),
        Kind::Ns => "a whole number of ns since the epoch".to_owned(),
        Kind::Whole { min, max, .. } if value.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n)) => return Ok(()),
        Kind::Whole { min, max, .. } => format!("a whole number from {min} to {max}"),
        Kind::Text(max) if value.chars().count() <= max => return Ok(()),
        Kind::Text(max) => format!("at most {max} characters"),
        Kind::OneOf(values) if values.contains(&value) => return Ok(()),
        Kind::OneOf(values) => format!("one of {}", values.join(", ")),
    };
    Err(ApiError::parameter(param.name, format!("{} must be {wanted}; it is {:?}", param.name, bounded(value, 64))))
}

impl Params {
    /// A moment, if given.
    pub(super) fn ns(&self, name: &str) -> Option<u64> {
        self.given.get(name)?.parse().ok()
    }

    /// A whole number, or its default.
    pub(super) fn whole(&self, name: &str) -> u64 {
        let default = self.known.iter().find(|param| param.name == name).map_or(0, |param| match param.kind {
            Kind::Whole { default, .. } => default,
            _ => 0,
        });
        self.given.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// Text, if given and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// One of the listed values; the first when absent.
    pub(super) fn one_of(&self, name: &str) -> &str {
        let first = self.known.iter().find(|param| param.name == name).and_then(|param| match param.kind {
            Kind::OneOf(values) => values.first().copied(),
            _ => None,
        });
        self.text(name).or(first).unwrap_or_default()
    }
}
