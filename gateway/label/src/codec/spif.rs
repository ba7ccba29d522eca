//! XML SPIF 2.1 security policy files: imported to a scheme, and exported from
//! one.
//!
//! A SPIF says less than a scheme: no days (an ended grade is `obsolete`), no
//! other spellings. What a SPIF says and the gateway cannot carry is refused
//! on import, never dropped in silence.

mod categories;
mod export;
mod import;

pub use export::{Header, export};
pub use import::import;

/// Namespace of SPIF 2.1.
pub const NAMESPACE: &str = "http://www.xmlspif.org/spif";

pub(crate) const RULE: &str = "XML SPIF 2.1";
