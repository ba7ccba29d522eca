//! Consent that came on paper: two officers record it, with its reference.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::CaseId;
use chancery_policy::approval::{self, Expected, Signed, Vote};
use chancery_policy::consent::{self, ConsentError};
use serde::Serialize;

use super::settle::settle;
use super::{not_found, update};
use crate::documents::Document;
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::CaseState;
use crate::stages::orders::{denied, roles_for};
use crate::stages::review::CaseDocument;

/// An officer records what came on paper: consent counts with two distinct
/// officers, a refusal with one. How it stands then.
///
/// # Errors
/// [`RefusalKind::NotFound`], [`RefusalKind::Denied`], [`RefusalKind::Invalid`]
/// without a reference; each of an officer's recorded.
pub fn paper(
    gateway: &Gateway,
    id: &CaseId,
    grant: bool,
    reference: &str,
    signed: &Signed,
) -> Result<PaperCard, StageError> {
    let case = gateway.ledger.case(id)?.ok_or_else(not_found)?;
    crate::rowmac::check_case(gateway, &case)?;
    let mut document = CaseDocument::decode(&case.document)?;
    let now = gateway.now();
    let (Some(asked), Some(delivery), CaseState::Open) =
        (document.consent.clone(), case.delivery, case.state)
    else {
        return Err(Refusal::new(
            RefusalKind::NotNow,
            "this case does not wait for an originator's consent",
        )
        .into());
    };
    let row = gateway.ledger.delivery(&delivery)?.ok_or_else(not_found)?;
    crate::rowmac::check_delivery(gateway, &row)?;
    let vote = if grant { Vote::Approve } else { Vote::Refuse };
    let digest = consent::paper_digest(row.message, &row.recipient, vote, reference);
    let rules = gateway.rules();
    let expected = |given_at| Expected {
        node: &gateway.node.name,
        operation: consent::RECORD,
        digest,
        roles: roles_for(consent::RECORD),
        given_at,
    };
    let view = rules.directory().at(now);
    if let Err(error) = approval::verify(signed, &expected(now), &view) {
        denied(
            gateway,
            signed.officer(),
            consent::RECORD,
            &error.to_string(),
        )?;
        return Err(Refusal::new(RefusalKind::Denied, error.to_string()).into());
    }
    let word = format!("{grant} {reference}");
    let mut kept: Vec<(String, Signed)> = asked
        .paper
        .iter()
        .filter(|(about, _)| *about == word)
        .cloned()
        .collect();
    kept.push((word, signed.clone()));
    // Each was in time when it was taken in; its officer is in office today.
    let verified: Vec<_> = kept
        .iter()
        .filter_map(|(_, one)| {
            let earliest = one.record.not_after.min(now);
            approval::verify(one, &expected(earliest), &view).ok()
        })
        .collect();
    let settled = consent::record(row.message, &row.recipient, vote, reference, &verified, now);
    match settled {
        Ok(entry) => {
            once(gateway, signed)?;
            let actor = Actor::Officer(signed.officer().clone());
            settle(
                gateway,
                &case,
                document,
                &row,
                &entry,
                actor,
                Step::default(),
            )?;
            Ok(PaperCard {
                case: id.to_string(),
                recorded: true,
            })
        }
        Err(ConsentError::TooFew) => {
            if let Some(asked) = &mut document.consent {
                asked.paper = kept;
            }
            let write = update(gateway, &case, case.state, &document)?;
            once(gateway, signed)?;
            gateway.ledger.commit(Step {
                writes: vec![write],
                ..Step::default()
            })?;
            Ok(PaperCard {
                case: id.to_string(),
                recorded: false,
            })
        }
        Err(error) => Err(Refusal::new(RefusalKind::Invalid, error.to_string()).into()),
    }
}

/// How a paper stands.
#[derive(Clone, Debug, Serialize)]
pub struct PaperCard {
    /// The case.
    pub case: String,
    /// True once it counts; false while it waits for another officer.
    pub recorded: bool,
}

fn once(gateway: &Gateway, signed: &Signed) -> Result<(), StageError> {
    let event = Event::new(
        EventKind::OfficerAuthenticated,
        gateway.now(),
        Actor::Officer(signed.officer().clone()),
    )
    .detail(Key::Command, consent::RECORD)
    .detail(Key::Officer, signed.officer().as_str());
    match gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![Write::InsertNonce(signed.record.nonce)],
        events: vec![event],
    }) {
        Ok(_) => Ok(()),
        Err(LedgerError::Duplicate { .. }) => Err(Refusal::new(
            RefusalKind::Replayed,
            "this order was used before: sign anew",
        )
        .into()),
        Err(error) => Err(error.into()),
    }
}
