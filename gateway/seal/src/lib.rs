//! Sealing: content keys, binding of label to content, the sealed format, opening by permit.
#![forbid(unsafe_code)]
