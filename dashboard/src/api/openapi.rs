//! The list of endpoints as an OpenAPI document.

use axum::Json;
use serde_json::{Map, Value, json};

use super::endpoints::{ENDPOINTS, Endpoint, Kind, Param};
use super::params::Params;

/// The document.
pub(super) async fn document(_: Params) -> Json<Value> {
    let paths: Map<_, _> = ENDPOINTS.iter().map(|endpoint| (endpoint.path.to_owned(), path(endpoint))).collect();
    Json(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "fabricscope",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Moments are strings of integer ns since the epoch in packet time, except in /api/v1/report.",
        },
        "paths": paths,
        "components": { "schemas": { "Error": error_schema() } },
    }))
}

fn path(endpoint: &Endpoint) -> Value {
    let in_path = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = endpoint.params.iter().map(query_parameter);
    json!({ "get": {
        "summary": endpoint.about,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            "200": { "description": endpoint.about, "content": { endpoint.media: {} } },
            "default": { "description": "What went wrong.", "content": { "application/json": { "schema": {
                "$ref": "#/components/schemas/Error" } } } },
        },
    } })
}

fn query_parameter(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Ns => json!({ "type": "string", "pattern": "^[0-9]+$" }),
        Kind::Whole { min, max, default } => {
            json!({ "type": "integer", "minimum": min, "maximum": max, "default": default })
        }
        Kind::Text(max) => json!({ "type": "string", "maxLength": max }),
        Kind::OneOf(values) => json!({ "type": "string", "enum": values, "default": values.first() }),
    };
    json!({ "name": param.name, "in": "query", "description": param.about, "schema": schema })
}

fn error_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({ "type": "object", "required": ["error"], "properties": { "error": {
        "type": "object",
        "required": ["code", "message", "request_id"],
        "properties": { "code": text, "parameter": text, "message": text, "request_id": text },
    } } })
}
