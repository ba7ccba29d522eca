//! Gates: what can stand between a message and a recipient.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a gate: `G` and two digits for the shipped ones, `L` and two
/// digits for rules that a site adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gate {
    local: bool,
    number: u8,
}

/// What a gate that fires does to the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It parks the release until a person or the originator has spoken.
    Review,
    /// It refuses the release.
    Deny,
}

/// What closes a review gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// An officer's assigning a label; the message is then decided anew.
    Label,
    /// The originator's consent, through the protocol or recorded by two
    /// officers with the reference of the paper; never a vote.
    Consent,
    /// Officers' votes.
    Votes,
    /// Nothing: a deny stays.
    Never,
}

/// A text that is not a gate's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a gate is named G00 to G99, or L00 to L99 for a rule of the site")]
pub struct InvalidGate;

/// One shipped gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub gate: Gate,
    /// The effects that its rules may have.
    pub effects: &'static [Effect],
    /// Where it comes from.
    pub basis: &'static str,
    /// When it fires, in words for officers.
    pub rule: &'static str,
}

// === impl Gate ===

impl Gate {
    /// Facts that are not well-formed, or an evaluation error.
    pub const MALFORMED: Self = Self::g(0);
    /// The gate that asks for a label and stands alone.
    pub const UNLABELLED: Self = Self::g(2);

    /// The shipped gate of this number, 0 to 99.
    #[must_use]
    pub const fn g(number: u8) -> Self {
        Self {
            local: false,
            number: if number > 99 { 99 } else { number },
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// True for a rule that the site added.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.local
    }

    /// Its line in [`CATALOGUE`], for shipped gates.
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.gate == self)
    }

    /// What closes it where its effect is review.
    #[must_use]
    pub const fn closing(self) -> Closing {
        match (self.local, self.number) {
            (false, 0) => Closing::Never,
            (false, 2) => Closing::Label,
            (false, 18..=21) => Closing::Consent,
            _ => Closing::Votes,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:02}",
            if self.local { 'L' } else { 'G' },
            self.number
        )
    }
}

impl FromStr for Gate {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Self, InvalidGate> {
        let (local, digits) = match (text.strip_prefix('G'), text.strip_prefix('L')) {
            (Some(digits), _) => (false, digits),
            (_, Some(digits)) => (true, digits),
            _ => return Err(InvalidGate),
        };
        if digits.len() != 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidGate);
        }
        let number = digits.parse().map_err(|_| InvalidGate)?;
        Ok(Self { local, number })
    }
}

impl TryFrom<String> for Gate {
    type Error = InvalidGate;

    fn try_from(text: String) -> Result<Self, InvalidGate> {
        text.parse()
    }
}

impl From<Gate> for String {
    fn from(gate: Gate) -> Self {
        gate.to_string()
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Review => "review",
            Self::Deny => "deny",
        })
    }
}

const DENY: &[Effect] = &[Effect::Deny];
const REVIEW: &[Effect] = &[Effect::Review];
const BOTH: &[Effect] = &[Effect::Deny, Effect::Review];

const fn entry(
    number: u8,
    effects: &'static [Effect],
    basis: &'static str,
    rule: &'static str,
) -> Entry {
    Entry {
        gate: Gate::g(number),
        effects,
        basis,
        rule,
    }
}

/// The shipped gates. A policy set must state each of them but G00, with
/// these effects; its texts may refine, not drop them.
pub const CATALOGUE: [Entry; 29] = [
    entry(
        0,
        DENY,
        "product",
        "the facts are not well-formed, or a rule could not be evaluated",
    ),
    entry(
        1,
        DENY,
        "Decision (EU, Euratom) 2015/444, Article 25",
        "the label cannot be read",
    ),
    entry(2, REVIEW, "product", "there is no label"),
    entry(
        3,
        DENY,
        "Decision (EU, Euratom) 2015/444, Article 36; Decision 2019/1961, Article 15",
        "the level is above the channel's accreditation",
    ),
    entry(
        4,
        DENY,
        "Council Decision 2013/488/EU, Article 10(6)",
        "the level is above the approval of the channel's cryptography",
    ),
    entry(
        5,
        REVIEW,
        "product",
        "the label and a marking in the content say different things",
    ),
    entry(
        6,
        DENY,
        "product",
        "the release crosses communities and no agreement in force covers it",
    ),
    entry(
        7,
        DENY,
        "product",
        "the level is above the ceiling of the agreement",
    ),
    entry(
        8,
        DENY,
        "Council Decision 2013/488/EU, Article 13",
        "classified information would leave the EU without a security of information agreement, or above R-UE under an administrative arrangement",
    ),
    entry(
        9,
        DENY,
        "Council Decision 2013/488/EU, Annex III",
        "the recipient's country is not among those that the marking allows release to",
    ),
    entry(
        10,
        DENY,
        "Council Decision 2013/488/EU, Article 11",
        "classified information would reach a company or the press without a classified contract",
    ),
    entry(
        11,
        DENY,
        "Council Decision 2013/488/EU, Article 7",
        "the level is above the recipient's clearance",
    ),
    entry(
        12,
        DENY,
        "Council Secretariat guidance on LIMITE",
        "LIMITE stays with the administrations of the Member States and the institutions",
    ),
    entry(
        13,
        DENY,
        "Council Decision 2013/488/EU, Annex IV",
        "CRYPTO passes between custodians of cryptographic material alone",
    ),
    entry(
        14,
        DENY,
        "FIRST TLP 2.0, section 3",
        "TLP:RED is for the recipients that the source named",
    ),
    entry(
        15,
        DENY,
        "FIRST TLP 2.0, section 3",
        "TLP:AMBER+STRICT stays inside the organisation",
    ),
    entry(
        16,
        DENY,
        "FIRST TLP 2.0, section 3",
        "TLP:AMBER stays with the organisation and its clients",
    ),
    entry(
        17,
        DENY,
        "FIRST TLP 2.0, section 3",
        "TLP:GREEN stays in the community and off public channels",
    ),
    entry(
        18,
        BOTH,
        "Decision (EU, Euratom) 2019/1961, Article 14",
        "another originator's classified information needs that originator's consent",
    ),
    entry(
        19,
        BOTH,
        "Europol handling codes (Council document 6243/18)",
        "information with a handling code is for law enforcement, unless its provider consents",
    ),
    entry(
        20,
        BOTH,
        "Europol handling codes (Council document 6243/18), H2",
        "not to be disseminated without the provider's permission",
    ),
    entry(
        21,
        BOTH,
        "Europol handling codes (Council document 6243/18), H1",
        "not to be used in judicial proceedings without the provider's permission",
    ),
    entry(
        22,
        REVIEW,
        "Europol handling codes (Council document 6243/18), H3",
        "the provider set restrictions in free text: a person reads them",
    ),
    entry(
        23,
        REVIEW,
        "Regulation (EU) 2016/794, Article 26",
        "personal data of law enforcement would reach a company",
    ),
    entry(
        24,
        DENY,
        "Regulation (EU) 2016/794, Article 25",
        "personal data of law enforcement would leave the EU without a legal basis",
    ),
    entry(
        25,
        REVIEW,
        "Council Decision 2013/488/EU, Annex III",
        "what is put together may deserve a higher level than its parts",
    ),
    entry(
        26,
        DENY,
        "Decision (EU, Euratom) 2019/1961, Article 14",
        "only the originator may lower the label of what it originated",
    ),
    entry(
        27,
        REVIEW,
        "Decision (EU, Euratom) 2019/1961, Article 14",
        "the originator is not known here",
    ),
    entry(
        28,
        REVIEW,
        "product",
        "a law-enforcement report without source and information codes",
    ),
];
