//! The release decision: facts, gates, permits, the directory, agreements, review.
//!
//! One question, asked for every recipient: may this go to them? [`mod@derive`]
//! makes the [`facts`] that the answer depends on, [`engine`] answers it from
//! code and rule text, [`review`] counts the votes where people must judge, and
//! [`release`] gives the [`permit`] that is the only key to plaintext.
//!
//! Pure: no sockets, no files, no clock, no randomness.
#![forbid(unsafe_code)]

pub mod approval;
pub mod cases;
pub mod consent;
pub mod crypto;
pub mod day;
pub mod decision;
pub mod derive;
pub mod directory;
pub mod engine;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod foresight;
pub mod gate;
mod lattice;
pub mod matrix;
pub mod mou;
pub mod permit;
pub mod reason;
pub mod release;
pub mod replay;
pub mod review;
pub mod shipped;
mod texts;
pub mod widening;

pub use texts::PolicyTexts;
