//! Whether enough custodians approved: the one place that counts.

use std::collections::BTreeSet;

use chancery_hsm_api::approval::{LONGEST, Signed, Vote};

use crate::ceremony::Dossier;
use crate::roster::Roster;

/// Why a dossier does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAgreed {
    /// No custodians were ever enrolled.
    #[error("this node has no custodians: enrol them with chancery-custodian enrol")]
    NoRoster,
    /// The proposal is no proposal of this version.
    #[error("this is no proposal of this version")]
    Format,
    /// It is meant for another node.
    #[error("the proposal is meant for another node")]
    OtherNode,
    /// Its time is over, or too far away.
    #[error("the proposal's time is over, or longer than a week: propose it anew")]
    ProposalTime,
    /// It was carried out or refused before.
    #[error("this proposal was carried out or refused before: propose it anew")]
    UsedBefore,
    /// An approval is by nobody of the roster.
    #[error("{0} is no custodian of this node")]
    Unknown(String),
    /// The same person twice.
    #[error("{0} approved twice: a person counts once")]
    Repeated(String),
    /// The same nonce twice.
    #[error("two approvals have one nonce")]
    Nonce,
    /// The signature does not fit.
    #[error("the approval of {0} does not fit its key")]
    Signature(String),
    /// The approval is about something else.
    #[error("the approval of {0} is for another node, operation or proposal")]
    Other(String),
    /// The approval has expired, or asks for longer than a day.
    #[error("the approval of {0} has expired, or is for longer than a day: approve anew")]
    Time(String),
    /// A custodian refused.
    #[error("{0} refused: nothing is done")]
    Refused(String),
    /// Too few.
    #[error("{given} of {needed} custodians approved: more must")]
    TooFew {
        /// How many did.
        given: usize,
        /// How many must.
        needed: usize,
    },
}

/// One week, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// Who approved, if that is enough at `now` (microseconds since 1970). Whether
/// the proposal was used before, the caller looks up.
///
/// # Errors
/// [`NotAgreed`], the first that applies: one bad approval spoils the dossier.
pub fn judge(
    roster: &Roster,
    node: &str,
    dossier: &Dossier,
    now: i64,
) -> Result<BTreeSet<String>, NotAgreed> {
    let proposal = &dossier.proposal;
    if !proposal.is_of_this_format() {
        return Err(NotAgreed::Format);
    }
    if proposal.node != node {
        return Err(NotAgreed::OtherNode);
    }
    let ends = proposal.ends().ok_or(NotAgreed::ProposalTime)?;
    if ends < now || ends > now.saturating_add(WEEK) {
        return Err(NotAgreed::ProposalTime);
    }
    let mut people = BTreeSet::new();
    let mut nonces = BTreeSet::new();
    for approval in &dossier.approvals {
        let name = check(roster, dossier, approval)?;
        let until = approval.record.not_after;
        let longest = i64::try_from(LONGEST.as_micros()).unwrap_or(i64::MAX);
        if until < now || until > now.saturating_add(longest) {
            return Err(NotAgreed::Time(name));
        }
        if approval.record.vote == Vote::Refuse {
            return Err(NotAgreed::Refused(name));
        }
        if !nonces.insert(approval.record.nonce) {
            return Err(NotAgreed::Nonce);
        }
        if !people.insert(name.clone()) {
            return Err(NotAgreed::Repeated(name));
        }
    }
    let (given, needed) = (people.len(), roster.needed());
    if given < needed {
        return Err(NotAgreed::TooFew { given, needed });
    }
    Ok(people)
}

/// An approval's signature and what it is about; who made it.
fn check(roster: &Roster, dossier: &Dossier, approval: &Signed) -> Result<String, NotAgreed> {
    let name = approval.officer().to_owned();
    let Some(key) = roster.key(&name) else {
        return Err(NotAgreed::Unknown(shown(&name)));
    };
    if !approval.is_by(key) {
        return Err(NotAgreed::Signature(name));
    }
    let (record, proposal) = (&approval.record, &dossier.proposal);
    if record.node != proposal.node
        || record.operation != proposal.operation.operation()
        || record.digest != proposal.digest()
    {
        return Err(NotAgreed::Other(name));
    }
    Ok(name)
}

/// What stands in a stored dossier, whatever the time is now: enough distinct
/// custodians signed exactly this.
pub(crate) fn signed_by_enough(roster: &Roster, dossier: &Dossier) -> bool {
    let mut people = BTreeSet::new();
    for approval in &dossier.approvals {
        match check(roster, dossier, approval) {
            Ok(name) if approval.record.vote == Vote::Approve => people.insert(name),
            _ => return false,
        };
    }
    people.len() == dossier.approvals.len() && people.len() >= roster.needed()
}

/// A name from outside, short and plain enough for a log.
fn shown(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect()
}
