//! XML in and out: pure functions of their arguments.
//!
//! - [`read`]: the bytes of a submission → [`Parsed`](chancery_message::Parsed);
//! - [`reply`]: an [`Outcome`](chancery_pipeline::outcome::Outcome) → what
//!   goes back;
//! - [`SCHEMA`]: the published XSD of both. The reader is the gate; the schema
//!   says the same to partners.

mod attach;
mod deliver;
mod fault;
mod fields;
mod read;
mod reply;
mod tree;
mod write;

pub use fault::{Fault, fault};
pub use read::{MAX_REQUEST_BYTES, read};
pub use reply::{attachment, reply};

/// The namespace of every element.
pub const NAMESPACE: &str = "urn:chancery:siena-style:1";
/// The schema, as served under `/siena/v1/schema.xsd`.
pub const SCHEMA: &str = include_str!("../../schema/siena-style-1.xsd");

/// Own rules of the interface.
const RULES: chancery_http::text::Schema =
    chancery_http::text::Schema("siena-style-1.xsd, element message");
const SCHEMA_RULE: &str = RULES.0;
