//! REST for partner systems: axum, OpenAPI 3.1, problem+json.
#![forbid(unsafe_code)]
