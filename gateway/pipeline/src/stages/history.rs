//! Past decisions as they are kept, so that they can be run again under other
//! rules: metadata alone, each row checked before it is told.

use chancery_message::{DeliveryId, Timestamp};
use chancery_policy::decision;
use chancery_policy::facts::Facts;
use chancery_policy::replay::Past;

use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind, Verdict};
use crate::rows::DeliveryRow;

/// Most decisions that are told at a time.
const MOST: u32 = 5000;

/// A page of past decisions.
#[derive(Debug)]
pub struct Page {
    /// The decisions, oldest first.
    pub decisions: Vec<Past>,
    /// The delivery after which the next page begins; none after the last page.
    pub after: Option<String>,
}

/// A page of the decisions from a time on (microseconds UTC), after a delivery.
///
/// # Errors
/// [`RefusalKind::NotFound`] where the delivery's id is none;
/// [`StageError::Corrupt`] where a row is not what was written.
pub fn decisions(
    gateway: &Gateway,
    since: Option<i64>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page, StageError> {
    let after: Option<DeliveryId> = after
        .map(|text| {
            text.parse()
                .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such delivery"))
        })
        .transpose()?;
    let since = Timestamp::from_micros(since.unwrap_or(i64::MIN));
    let limit = limit.clamp(1, MOST);
    let rows = gateway
        .ledger
        .deliveries_since(since, after.as_ref(), limit)?;
    let whole = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| whole).map(|row| row.id.to_string());
    let mut decisions = Vec::new();
    for row in &rows {
        decisions.extend(past(gateway, row)?);
    }
    Ok(Page {
        decisions,
        after: next,
    })
}

/// One decision; none where nobody was proven to be the sender.
fn past(gateway: &Gateway, row: &DeliveryRow) -> Result<Option<Past>, StageError> {
    crate::rowmac::check_delivery(gateway, row)?;
    let document = DeliveryDocument::decode(&row.document)?;
    let Some(message) = gateway.ledger.message(&row.message)? else {
        return Err(StageError::Corrupt(format!(
            "the message of delivery {} is gone",
            row.id
        )));
    };
    crate::rowmac::check_message(gateway, &message)?;
    let Some(from) = message.sender else {
        return Ok(None);
    };
    let gates = document
        .gates
        .iter()
        .map(|gate| gate.parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| StageError::Corrupt(format!("delivery {} names no gate", row.id)))?;
    Ok(Some(Past {
        at: row.created_at.to_string(),
        from,
        to: row.recipient.clone(),
        verdict: match document.verdict {
            Verdict::Permit => decision::Verdict::Permit,
            Verdict::Review => decision::Verdict::Review,
            Verdict::Deny => decision::Verdict::Deny,
        },
        gates,
        policy: hex::encode(document.policy),
        mou: document.mou.as_ref().map(|mou| mou.as_str().to_owned()),
        facts: facts(&document),
    }))
}

/// The facts, where they alone made the decision: whoever has no channel was
/// refused with G03 whatever the facts say.
fn facts(document: &DeliveryDocument) -> Option<Facts> {
    let facts = Facts::from_json(&document.facts).ok()?;
    let unreachable =
        document.gates == ["G03"] && facts.classification <= facts.channel_accreditation;
    (!unreachable).then_some(facts)
}
