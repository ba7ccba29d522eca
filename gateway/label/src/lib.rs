//! Classification labels: what a marking says, how labels compare and combine.
//!
//! A [`Label`] is the typed meaning of every marking on a message: its EU
//! level, caveats, releasability, TLP and handling codes. Labels form a
//! lattice: [`Label::join`] gives the least label that protects both, and
//! nothing in this crate lowers one.
//!
//! Pure: no sockets, no clock, no randomness. The day as of which a marking is
//! read is an argument.
#![forbid(unsafe_code)]

pub mod binding;
mod caveat;
pub mod clearance;
pub mod codec;
mod country;
pub mod desk;
mod error;
mod fold;
pub mod found;
mod handling;
mod label;
mod level;
pub mod marking;
mod pap;
pub mod portions;
mod releasability;
pub mod schemes;
mod tlp;
pub mod translate;

pub use caveat::Caveat;
pub use country::Country;
pub use error::{Fault, LabelError, Place};
pub use handling::HandlingCode;
pub use label::{EmptyIntersection, Label, NationalMarking};
pub use level::Level;
pub use marking::{ReadOptions, Reading};
pub use pap::Pap;
pub use releasability::ReleaseCode;
pub use tlp::Tlp;

/// A code that is not one of the values its field may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {what}")]
pub struct UnknownCode {
    /// What was expected, for example `classification level`.
    pub what: &'static str,
    /// What was given, cut to 64 characters.
    pub value: String,
}

impl UnknownCode {
    pub(crate) fn new(what: &'static str, value: &str) -> Self {
        Self {
            what,
            value: value.chars().take(64).collect(),
        }
    }
}
