//! REST for partner systems: axum, OpenAPI 3.1, problem+json.
//!
//! Two doors, as every channel has them:
//! - [`wire`] is used by the door process: HTTP over a stream that is already
//!   encrypted. It frames, caps and relays; it reads no JSON.
//! - [`content`] is pure, used by the reader process to read a submission and
//!   by core to write answers.
#![forbid(unsafe_code)]

pub mod content;
pub mod wire;
