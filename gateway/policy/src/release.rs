//! Making permits: the one room that does.

use chancery_label::Level;
use chancery_message::{MessageId, OfficerId, ParticipantId, Timestamp};

use crate::decision::{Decision, Verdict};
use crate::derive::{Derived, fact_id};
use crate::directory::{Role, View};
use crate::gate::Gate;
use crate::permit::{PERMIT_LIFE, ReadPermit, ReleasePermit};
use crate::review::Closed;

/// Why there is no permit, or why one does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A gate denies: this never becomes a permit.
    #[error("denied by {}", list(.0))]
    Denied(Vec<Gate>),
    /// Gates ask for a review that has not closed.
    #[error("held for review by {}", list(.0))]
    Held(Vec<Gate>),
    /// The decision is about another message or recipient.
    #[error("the decision is about another release")]
    OtherRelease,
    /// The review was of other facts, label or gates: a new case is due.
    #[error("what was reviewed has changed: review it anew")]
    ReviewOutdated,
    /// The permit is past its deadline: decide again.
    #[error("the permit has expired: decide again")]
    Expired,
    /// The permit is of an older epoch: decide again.
    #[error("the directory, an agreement or a rule has changed: decide again")]
    OldEpoch,
    /// The officer may not read this.
    #[error("the officer may not read this: {0}")]
    MayNotRead(&'static str),
}

fn list(gates: &[Gate]) -> String {
    gates
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Gives the permit of a decision. `closed` is the review's proof, where the
/// verdict is review; it is consumed by the release that it allows.
///
/// # Errors
/// [`Refusal`]: denied, held, or not about this release.
pub fn permit(
    decision: &Decision,
    derived: &Derived,
    message: MessageId,
    recipient: &ParticipantId,
    closed: Option<&Closed>,
    now: Timestamp,
) -> Result<ReleasePermit, Refusal> {
    let about_this = decision.id() == fact_id(message, recipient)
        && derived.facts.id == decision.id()
        && derived.facts.digest() == decision.facts_digest();
    if !about_this {
        return Err(Refusal::OtherRelease);
    }
    let reviewed = match decision.verdict() {
        Verdict::Deny => return Err(Refusal::Denied(decision.gates().to_vec())),
        Verdict::Permit => false,
        Verdict::Review => {
            let closed = closed.ok_or_else(|| Refusal::Held(decision.gates().to_vec()))?;
            let digest = crate::review::digest(message, &derived.label, recipient, decision);
            if !closed.is_of(message, recipient, digest) {
                return Err(Refusal::ReviewOutdated);
            }
            true
        }
    };
    let mut obligations = decision.obligations().to_vec();
    obligations.extend(&derived.obligations);
    obligations.sort_unstable();
    obligations.dedup();
    Ok(ReleasePermit {
        message,
        recipient: recipient.clone(),
        epoch: derived.epoch,
        deadline: now.after(PERMIT_LIFE),
        obligations,
        policy: decision.policy_hash(),
        reviewed,
    })
}

/// Gives an officer the right to read a message: the officer is in office with
/// one of the roles that judge content, is cleared for its level, is not of the
/// sender's own organisation (where somebody is proven to have sent it), and
/// says why.
///
/// # Errors
/// [`Refusal::MayNotRead`] with what is missing.
pub fn read_permit(
    officer: &OfficerId,
    message: MessageId,
    level: Level,
    sender: Option<&ParticipantId>,
    reason: &str,
    directory: &View<'_>,
) -> Result<ReadPermit, Refusal> {
    let one = directory
        .officer(officer)
        .ok_or(Refusal::MayNotRead("no officer of that name is in office"))?;
    if ![Role::Release, Role::Registry, Role::Security]
        .iter()
        .any(|role| one.roles.contains(role))
    {
        return Err(Refusal::MayNotRead(
            "reading needs the role release, registry or security",
        ));
    }
    if one.clearance_at(directory.now()) < level {
        return Err(Refusal::MayNotRead(
            "the level is above the officer's clearance",
        ));
    }
    if sender.is_some_and(|sender| crate::review::is_own(one, sender, directory)) {
        return Err(Refusal::MayNotRead(
            "officers do not judge their own organisation's messages",
        ));
    }
    if reason.trim().is_empty() {
        return Err(Refusal::MayNotRead("say why: the reason is recorded"));
    }
    Ok(ReadPermit {
        message,
        officer: officer.clone(),
        reason: reason.trim().to_owned(),
        deadline: directory.now().after(PERMIT_LIFE),
    })
}
