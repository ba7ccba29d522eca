//! Officers' orders: what goes over the officers' link, as JSON. Every order
//! carries a signature over exactly that order.

use chancery_message::MessageId;
use chancery_policy::approval::Signed;
use chancery_policy::review::OPERATION;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::outcome::{Refusal, RefusalKind};
use crate::stages::orders::label_digest;

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

impl Request {
    /// The operation that the record names.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Cases => "review.list",
            Self::Show { .. } => "review.show",
            Self::Vote { .. } => OPERATION,
            Self::Label { .. } => "review.label",
            Self::Reject { .. } => "review.reject",
            Self::AuditLeaves { .. } => "audit.list",
            Self::AuditMessage { .. } => "audit.timeline",
            Self::AuditExport => "audit.export",
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
            other => {
                // INVARIANT: strings and numbers; writing them cannot fail.
                let bytes = serde_json::to_vec(other).unwrap_or_default();
                Ok(Sha256::digest(&bytes).into())
            }
        }
    }
}
