//! Officers' orders: what goes over the officers' link, as JSON. Every order
//! carries a signature over exactly that order.

use chancery_message::MessageId;
use chancery_policy::approval::Signed;
use chancery_policy::review::OPERATION;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::outcome::{Refusal, RefusalKind};
use crate::rows::DocumentKind;
use crate::rulebook::{self, Change, RuleText};
use crate::stages::orders::label_digest;

/// The header of an order that follows as the body, because it is longer than a header may be.
pub const LONG_ORDER: &[u8] = b"\"order\"";
/// From this many bytes an order follows as the body.
pub const LONG: usize = 32 * 1024;

/// An order with its proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is ordered.
    pub request: Request,
    /// The approval record over [`Request::operation`] and [`Request::digest`]
    /// (of a vote: over the case's digest), signed by the officer.
    pub signed: Signed,
}

/// What can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The open cases.
    Cases,
    /// One case with its content; the reading is recorded with its reason.
    Show {
        /// Which.
        case: String,
        /// Why it is read.
        why: String,
    },
    /// A vote: approve or refuse stands in the signed record.
    Vote {
        /// In which case.
        case: String,
    },
    /// Give a message in quarantine its label.
    Label {
        /// Which.
        message: String,
        /// The label, as canonical marking text.
        label: String,
    },
    /// Refuse a message in quarantine for good.
    Reject {
        /// Which.
        message: String,
    },
    /// Records of the log.
    AuditLeaves {
        /// The first.
        from: u64,
        /// At most so many.
        limit: u32,
    },
    /// All records about one message.
    AuditMessage {
        /// Which.
        message: String,
    },
    /// The whole log with its checkpoints.
    AuditExport,
    /// Takes a case up, so that two officers do not do the same work.
    Claim {
        /// Which.
        case: String,
    },
    /// Gives it back.
    Unclaim {
        /// Which.
        case: String,
    },
    /// The texts in force of a kind, and who and what is suspended.
    Rules {
        /// `participant`, `officer`, `mou` or `policy`.
        kind: String,
    },
    /// The proposals that wait for another officer.
    Proposals,
    /// Proposes a change: signed with the operation of its kind, over the digest
    /// of text, reason and evidence.
    Propose {
        /// Its kind.
        kind: String,
        /// Its key.
        key: String,
        /// The text.
        text: String,
        /// Why.
        why: String,
        /// Of a policy set: its evidence, canonical.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
    },
    /// Approves or refuses a proposal: signed as its proposer signed it.
    Approve {
        /// Which.
        proposal: String,
        /// Its kind.
        kind: String,
        /// Its digest, hexadecimal: of what the officer saw.
        digest: String,
    },
    /// Suspends at once.
    Suspend {
        /// `participant/ID`, `mou/ID` or `officer/ID`.
        subject: String,
        /// Why.
        why: String,
    },
    /// All flows per MoU.
    MouReport {
        /// Of one alone.
        mou: Option<String>,
    },
    /// Records consent, or its refusal, that came on paper: two officers do.
    ConsentPaper {
        /// In which case.
        case: String,
        /// True for consent.
        grant: bool,
        /// The paper's reference.
        reference: String,
        /// What is signed: the digest of message, recipient, answer and reference, hexadecimal.
        digest: String,
    },
    /// The policy sets that ever decided.
    PolicySets {
        /// Of this hash (or beginning of one) alone, with its text.
        hash: Option<String>,
    },
    /// Past decisions, to run them again under proposed rules.
    Decisions {
        /// Only those from then on, microseconds UTC.
        since: Option<i64>,
        /// Only those after this delivery.
        after: Option<String>,
        /// At most so many.
        limit: u32,
    },
}

/// What comes back, before the lines of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// Done; what there is to say follows, one JSON value a line.
    Done,
    /// Refused.
    Refused {
        /// The class ([`RefusalKind::name`]).
        kind: String,
        /// One sentence.
        detail: String,
    },
}

/// The text that a proposal names.
///
/// # Errors
/// [`RefusalKind::Invalid`] for an unknown kind.
pub fn rule(kind: &str, key: &str, text: &str) -> Result<RuleText, Refusal> {
    let kind = DocumentKind::from_word(kind)
        .ok_or_else(|| Refusal::new(RefusalKind::Invalid, "there is no such kind of rule"))?;
    Ok(RuleText::new(kind, key, text.to_owned()))
}

/// The change that a proposal names.
///
/// # Errors
/// As [`rule`].
pub fn change(
    kind: &str,
    key: &str,
    text: &str,
    why: &str,
    evidence: Option<&str>,
) -> Result<Change, Refusal> {
    let change = Change::new(rule(kind, key, text)?, why);
    Ok(match evidence {
        Some(evidence) => change.with_evidence(evidence.to_owned()),
        None => change,
    })
}

impl Request {
    /// The operation that the record names.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Cases => "review.list",
            Self::Show { .. } => "review.show",
            Self::Vote { .. } => OPERATION,
            Self::Label { .. } => "review.label",
            Self::Reject { .. } => "review.reject",
            Self::AuditLeaves { .. } => "audit.list",
            Self::AuditMessage { .. } => "audit.timeline",
            Self::AuditExport => "audit.export",
            Self::Claim { .. } => "review.claim",
            Self::Unclaim { .. } => "review.unclaim",
            Self::Rules { .. } => "rules.list",
            Self::Proposals => "rules.proposals",
            Self::Propose { kind, .. } | Self::Approve { kind, .. } => {
                match DocumentKind::from_word(kind) {
                    Some(kind) => rulebook::operation(kind),
                    None => "rules.propose",
                }
            }
            Self::Suspend { .. } => "rules.suspend",
            Self::MouReport { .. } => "audit.mou",
            Self::ConsentPaper { .. } => chancery_policy::consent::RECORD,
            Self::Decisions { .. } => "policy.replay",
            Self::PolicySets { .. } => "policy.sets",
        }
    }

    /// What the record binds: message and label where one is given, else
    /// SHA-256 over the order's JSON. A vote binds the case's own digest instead.
    ///
    /// # Errors
    /// [`RefusalKind::NotFound`] where a message's id is none.
    pub fn digest(&self) -> Result<[u8; 32], Refusal> {
        let id = |text: &str| {
            text.parse::<MessageId>()
                .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such message"))
        };
        match self {
            Self::Label { message, label } => Ok(label_digest(&id(message)?, label)),
            Self::Reject { message } => Ok(label_digest(&id(message)?, "")),
            Self::Propose {
                kind,
                key,
                text,
                why,
                evidence,
            } => Ok(change(kind, key, text, why, evidence.as_deref())?.digest()),
            Self::Approve { digest, .. } | Self::ConsentPaper { digest, .. } => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(digest, &mut bytes).map_err(|_| {
                    Refusal::new(RefusalKind::Invalid, "a digest is 64 hexadecimal digits")
                })?;
                Ok(bytes)
            }
            other => {
                // INVARIANT: strings and numbers; writing them cannot fail.
                let bytes = serde_json::to_vec(other).unwrap_or_default();
                Ok(Sha256::digest(&bytes).into())
            }
        }
    }
}
