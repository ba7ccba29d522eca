//! SIENA-style structured law-enforcement exchange, XML over mutual TLS.
//!
//! The channel follows what is public of SIENA's information model (message
//! kinds, urgency, handling and evaluation codes, case references, Europol in
//! copy). No public schema of SIENA or of UMF was found: this one has a
//! namespace of its own and is compatible with neither.
//!
//! Two doors, as every channel has them:
//! - [`wire`] is used by the door process: HTTP over a stream that is already
//!   encrypted. It frames, caps and relays; it reads no XML.
//! - [`content`] is pure, used by the reader process to read a submission and
//!   by core to write answers.
#![forbid(unsafe_code)]

pub mod content;
pub mod wire;
