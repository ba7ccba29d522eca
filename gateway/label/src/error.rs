//! The one error of every label reader: what, where and which rule.

use std::fmt;

/// Why a label was not read. Nothing is repaired: the label is refused and
/// the caller decides between refusal and quarantine.
///
/// The message never repeats the label's text; [`LabelError::place`] says
/// where to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {place} ({rule})")]
pub struct LabelError {
    /// The class of the fault, for programs.
    pub fault: Fault,
    /// What is wrong, as a phrase that says what to do.
    pub what: String,
    /// Where.
    pub place: Place,
    /// The standard and clause that says so, or `product rule`.
    pub rule: &'static str,
}

/// Classes of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No marking at all.
    Empty,
    /// Larger than the reader's budget.
    TooLarge,
    /// A word, value, element or code that the scheme does not have.
    Unknown,
    /// The same word means different things: its country or date is missing.
    Ambiguous,
    /// Invisible characters, mixed scripts or look-alikes: a person must look.
    Suspicious,
    /// Two statements that cannot both hold.
    Conflict,
    /// A required part is absent.
    Missing,
    /// The syntax is broken.
    Malformed,
    /// A combination that the scheme excludes.
    Combination,
    /// A translation would lose or change meaning.
    Lossy,
    /// A label, its content or its signature do not belong together.
    Binding,
    /// A scheme file is unsound.
    Scheme,
}

impl Fault {
    /// True where an officer should look before anything else is done with
    /// the message: the text may mean to deceive.
    #[must_use]
    pub const fn needs_review(self) -> bool {
        matches!(self, Self::Suspicious | Self::Ambiguous | Self::Conflict)
    }
}

/// Where in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The input as a whole.
    Whole,
    /// A character of a text, counted from 1.
    Character(usize),
    /// A byte of a binary or XML input, counted from 0.
    Byte(u64),
    /// An element or attribute of an XML input, with the byte where it starts.
    Node {
        /// Path or name of the node.
        name: &'static str,
        /// Offset in bytes from the start.
        byte: u64,
    },
    /// A named field, parameter or key.
    Field(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the whole input"),
            Self::Character(at) => write!(f, "character {at}"),
            Self::Byte(at) => write!(f, "byte {at}"),
            Self::Node { name, byte } => write!(f, "{name}, byte {byte}"),
            Self::Field(name) => write!(f, "{name}"),
        }
    }
}

impl LabelError {
    /// An error of this class.
    #[must_use]
    pub fn new(fault: Fault, what: impl Into<String>, place: Place, rule: &'static str) -> Self {
        Self {
            fault,
            what: what.into(),
            place,
            rule,
        }
    }
}

/// Rules that more than one reader names.
pub(crate) mod rule {
    /// Own rules of the product.
    pub(crate) const PRODUCT: &str = "product rule: markings are refused, not repaired";
    /// Size and depth limits.
    pub(crate) const BUDGET: &str = "product rule: 64 KiB, 64 categories, depth 16";
    /// The full marking.
    pub(crate) const FULL_MARKING: &str = "Decision (EU, Euratom) 2015/444, Article 25(1)";
    /// National equivalence.
    pub(crate) const EQUIVALENCE: &str = "Council Decision 2013/488/EU, Appendix B";
    /// TLP.
    pub(crate) const TLP: &str = "FIRST TLP 2.0, section 1";
    /// Look-alikes.
    pub(crate) const CONFUSABLE: &str = "Unicode UTS #39, sections 4 and 5";
    /// Releasability.
    pub(crate) const RELEASABLE: &str = "Council Decision 2013/488/EU, Annex III; ISO 3166-1";
}
