//! Counting votes.

use std::collections::BTreeSet;

use chancery_message::{MessageId, OfficerId, ParticipantId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Case, OPERATION, Waits};
use crate::approval::{self, ApprovalError, Expected, Signed, Vote};
use crate::directory::{Role, View};

/// The proof that a case closed in favour of the release. Made by [`close`] alone.
#[derive(Debug)]
pub struct Closed {
    message: MessageId,
    recipient: ParticipantId,
    digest: [u8; 32],
    officers: Vec<OfficerId>,
}

/// How a case stands after its votes.
#[derive(Debug)]
pub enum Outcome {
    /// Not enough votes yet: this many are missing.
    Open {
        /// How many.
        missing: usize,
    },
    /// It waits for a label or for consent, which votes do not give.
    NotByVotes(Waits),
    /// The quorum approved.
    Approved(Closed),
    /// An officer refused: that wins.
    Refused {
        /// Who.
        by: OfficerId,
    },
}

/// A vote that does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteRefused {
    /// The approval is not valid.
    #[error("the vote does not count: {0}")]
    Approval(#[from] ApprovalError),
    /// The officer is of the sender's own organisation.
    #[error("officers do not judge their own organisation's releases")]
    OwnOrganisation,
    /// The level is above the officer's clearance.
    #[error("the level is above the officer's clearance")]
    NotCleared,
}

/// A vote as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// The officer's signature over the vote.
    pub signed: Signed,
    /// When it was taken in.
    pub at: Timestamp,
}

/// Whether one vote counts: the officer is in office now, may judge this
/// sender's release of this level, and signed in time for exactly this case.
///
/// # Errors
/// [`VoteRefused`].
pub fn check(
    case: &Case,
    vote: &Cast,
    node: &str,
    directory: &View<'_>,
) -> Result<(OfficerId, Vote), VoteRefused> {
    let expected = Expected {
        node,
        operation: OPERATION,
        digest: case.digest,
        roles: &[Role::Release],
        given_at: vote.at,
    };
    let verified = approval::verify(&vote.signed, &expected, directory)?;
    let officer = directory
        .officer(verified.officer())
        .ok_or(ApprovalError::UnknownOfficer)?;
    if super::is_own(officer, &case.sender, directory) {
        return Err(VoteRefused::OwnOrganisation);
    }
    if officer.clearance_at(directory.now()) < case.level {
        return Err(VoteRefused::NotCleared);
    }
    Ok((verified.officer().clone(), verified.vote()))
}

/// Counts the votes of a case, each checked anew: a vote of an officer who has
/// been suspended since counts no more. Votes of one officer count once, and a
/// refusal wins over every approval, the same officer's too.
#[must_use]
pub fn close(case: &Case, votes: &[Cast], node: &str, directory: &View<'_>) -> Outcome {
    let needed = match case.waits_for() {
        Waits::Votes(needed) => needed,
        other @ (Waits::Label | Waits::Consent) => return Outcome::NotByVotes(other),
    };
    let mut approved = BTreeSet::new();
    for vote in votes {
        match check(case, vote, node, directory) {
            Ok((officer, Vote::Refuse)) => return Outcome::Refused { by: officer },
            Ok((officer, Vote::Approve)) => {
                approved.insert(officer);
            }
            // It was refused when it was cast, or its officer is out of office since.
            Err(_) => {}
        }
    }
    if approved.len() < needed {
        return Outcome::Open {
            missing: needed - approved.len(),
        };
    }
    Outcome::Approved(Closed {
        message: case.message,
        recipient: case.recipient.clone(),
        digest: case.digest,
        officers: approved.into_iter().collect(),
    })
}

// === impl Closed ===

impl Closed {
    /// The officers who approved.
    #[must_use]
    pub fn officers(&self) -> &[OfficerId] {
        &self.officers
    }

    /// The digest that they approved.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// True if they approved exactly this.
    #[must_use]
    pub(crate) fn is_of(
        &self,
        message: MessageId,
        recipient: &ParticipantId,
        digest: [u8; 32],
    ) -> bool {
        self.message == message && self.recipient == *recipient && self.digest == digest
    }
}
