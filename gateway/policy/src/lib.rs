//! The release decision: facts, gates, permits, the directory, agreements, review.
//!
//! One question, asked for every recipient: may this go to them? [`facts`]
//! says what the answer depends on, [`engine`] answers it from code and rule
//! text, and a [`release`] permit is the only key to plaintext.
//!
//! Pure: no sockets, no files, no clock, no randomness.
#![forbid(unsafe_code)]

pub mod decision;
pub mod engine;
pub mod facts;
pub mod gate;
mod lattice;
mod texts;

pub use texts::PolicyTexts;
