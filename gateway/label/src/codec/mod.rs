//! Label syntaxes, both ways. Every reader is strict, bounded and free of
//! panics; every writer is canonical: `read(write(label)) == label`.

pub(crate) mod c14n;
pub(crate) mod der;
pub mod ess;
pub mod iep;
pub mod information;
pub mod json;
pub mod misp;
pub mod sio_label;
pub mod spif;
pub mod stanag4774;
pub mod stix;
pub mod xep0258;
pub(crate) mod xml;

/// Largest label read, in bytes.
pub const MAX_LABEL: usize = 64 * 1024;
/// Most categories in one label.
pub const MAX_CATEGORIES: usize = 64;
/// Deepest nesting of label XML.
pub const MAX_DEPTH: usize = 16;
