//! Every policy set that ever decided, by its hash: so that a decision can be run
//! again years later under the set that made it.

use chancery_message::Timestamp;
use serde::Serialize;

use super::{Book, BookError, POLICIES, RuleText, Version};
use crate::gateway::{Gateway, StageError};
use crate::rows::DocumentKind;

/// A policy set of some time.
#[derive(Clone, Debug, Serialize)]
pub struct PastSet {
    /// Its hash, as decisions record it, hexadecimal.
    pub policy: String,
    /// From when on it decided.
    pub from: String,
    /// Who signed it.
    pub approvals: Vec<String>,
    /// Why; none where it came with the founding.
    pub why: Option<String>,
    /// Its files as a JSON object, where one set is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its evidence, where one set is asked for and it has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// The policy sets, oldest first; with `hash` (or its beginning) those of that
/// hash alone, with their texts. Each row is checked to be what was written.
///
/// # Errors
/// [`StageError`] when the ledger fails or a row is damaged.
pub fn past_sets(gateway: &Gateway, hash: Option<&str>) -> Result<Vec<PastSet>, StageError> {
    // Reading the book verifies every row with its place.
    Book::read(gateway.ledger.as_ref(), &gateway.row_key).map_err(|error| match error {
        BookError::Ledger(error) => error.into(),
        other => StageError::Corrupt(other.to_string()),
    })?;
    let mut all = Vec::new();
    for row in gateway.ledger.documents(DocumentKind::Policy)? {
        let version: Version = serde_json::from_slice(&row.document)
            .map_err(|_| StageError::Corrupt("a stored policy set cannot be read".to_owned()))?;
        let one = past(row.valid_from, version);
        match hash {
            None => all.push(PastSet {
                text: None,
                evidence: None,
                ..one
            }),
            Some(hash) if one.policy.starts_with(hash) => all.push(one),
            Some(_) => {}
        }
    }
    Ok(all)
}

fn past(from: Timestamp, version: Version) -> PastSet {
    let rule = RuleText::new(DocumentKind::Policy, POLICIES, version.text.clone());
    PastSet {
        policy: hex::encode(rule.digest()),
        from: from.to_string(),
        approvals: version
            .approvals
            .iter()
            .map(|one| one.officer().to_string())
            .collect(),
        why: version.why,
        text: Some(version.text),
        evidence: version.evidence,
    }
}
