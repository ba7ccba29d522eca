//! What flows under each agreement.

use std::collections::{BTreeMap, HashMap};

use chancery_audit::{EventKind, Key, Record};
use chancery_message::{MessageId, MouId};
use serde::Serialize;

use crate::gateway::{Gateway, StageError};

/// Leaves read from the ledger at one time.
const PAGE: u32 = 500;

/// One agreement and all flows under it.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// Its id; `-` for releases that needed none.
    pub mou: String,
    /// From whom to whom, in the order of their ids.
    pub flows: Vec<Flow>,
}

/// One flow under an agreement.
#[derive(Clone, Debug, Serialize)]
pub struct Flow {
    /// Who sent; `-` where the log does not say it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What was decided and what became of it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What was decided and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Permitted when they came.
    pub permitted: u64,
    /// Held for people.
    pub held: u64,
    /// Refused.
    pub refused: u64,
    /// Given out (each time that the seal was opened).
    pub opened: u64,
    /// The first record, a time.
    pub first: String,
    /// The last record, a time.
    pub last: String,
}

/// All flows per MoU, from the log; of one MoU where one is named.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn report(gateway: &Gateway, only: Option<&MouId>) -> Result<Vec<Agreement>, StageError> {
    let mut all: BTreeMap<String, BTreeMap<(String, String), Counts>> = BTreeMap::new();
    let mut senders: HashMap<MessageId, String> = HashMap::new();
    let size = gateway.ledger.head()?.size;
    let mut from = 0;
    while from < size {
        let leaves = gateway.ledger.leaves(from, PAGE)?;
        if leaves.is_empty() {
            break;
        }
        from += leaves.len() as u64;
        for leaf in leaves {
            let record = Record::parse(&leaf.record)
                .map_err(|error| StageError::Corrupt(error.to_string()))?;
            let event = record.event;
            let text = |key| {
                event
                    .details
                    .get(key)
                    .and_then(chancery_audit::Value::as_text)
                    .map(str::to_owned)
            };
            if event.kind == EventKind::MessageRegistered {
                if let (Some(message), Some(sender)) = (event.message, text(Key::Sender)) {
                    senders.insert(message, sender);
                }
                continue;
            }
            let Some(to) = text(Key::Recipient) else {
                continue;
            };
            let mou = text(Key::Mou).unwrap_or_else(|| "-".to_owned());
            if only.is_some_and(|only| only.as_str() != mou) {
                continue;
            }
            let from = event
                .message
                .and_then(|message| senders.get(&message).cloned())
                .unwrap_or_else(|| "-".to_owned());
            let counts = all.entry(mou).or_default().entry((from, to)).or_default();
            match event.kind {
                EventKind::ReleasePermitted => counts.permitted += 1,
                EventKind::ReleaseHeld => counts.held += 1,
                EventKind::ReleaseRefused => counts.refused += 1,
                EventKind::ReleaseOpened => counts.opened += 1,
                _ => continue,
            }
            let at = event.at.to_string();
            if counts.first.is_empty() {
                counts.first.clone_from(&at);
            }
            counts.last = at;
        }
    }
    Ok(all
        .into_iter()
        .map(|(mou, flows)| {
            let flows = flows
                .into_iter()
                .filter(|(_, counts)| !counts.first.is_empty())
                .map(|((from, to), counts)| Flow { from, to, counts })
                .collect();
            Agreement { mou, flows }
        })
        .filter(|one: &Agreement| !one.flows.is_empty())
        .collect())
}
