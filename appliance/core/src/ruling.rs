//! Officers' orders that change the rules: proposals, approvals, suspensions,
//! consent that came on paper. Each order's own signature is what is verified.

use chancery_pipeline::gateway::StageError;
use chancery_pipeline::officers::{Order, Request, change};
use chancery_pipeline::outcome::{Refusal, RefusalKind};
use chancery_pipeline::rows::DocumentKind;
use chancery_pipeline::rulebook::{self, Book, Subject};
use chancery_pipeline::stages::consent;
use chancery_pipeline::stages::orders::officer_for;
use serde_json::json;

use crate::admin::{case_id, lines};
use crate::app::App;

/// Carries out an order that changes the rules; none where it is another kind.
pub(crate) fn carry_out(app: &App, order: &Order) -> Result<Option<Vec<Vec<u8>>>, StageError> {
    let (gateway, signed) = (&app.gateway, &order.signed);
    let done = match &order.request {
        Request::Propose {
            kind,
            key,
            text,
            why,
            evidence,
        } => lines([rulebook::propose(
            gateway,
            &change(kind, key, text, why, evidence.as_deref())?,
            signed,
        )?])?,
        Request::Approve { proposal, .. } => {
            lines([rulebook::approve(gateway, proposal, signed)?])?
        }
        Request::Suspend { subject, why } => {
            let subject: Subject = subject.parse().map_err(|()| {
                Refusal::new(
                    RefusalKind::Invalid,
                    "name participant/ID, person/ID, mou/ID or officer/ID",
                )
            })?;
            let officer = officer_for(
                gateway,
                signed,
                order.request.operation(),
                order.request.digest()?,
            )?;
            lines([rulebook::suspend(gateway, &subject, why, &officer, signed)?])?
        }
        Request::ConsentPaper {
            case,
            grant,
            reference,
            ..
        } => lines([consent::paper(
            gateway,
            &case_id(case)?,
            *grant,
            reference,
            signed,
        )?])?,
        _ => return Ok(None),
    };
    // Waiting inboxes and the mailer look again.
    app.announce();
    Ok(Some(done))
}

/// The texts in force of a kind, and what is suspended.
pub(crate) fn rules(app: &App, kind: &str) -> Result<Vec<Vec<u8>>, StageError> {
    let kind = DocumentKind::from_word(kind)
        .ok_or_else(|| Refusal::new(RefusalKind::Invalid, "there is no such kind of rule"))?;
    let gateway = &app.gateway;
    let book = Book::read(gateway.ledger.as_ref(), &gateway.row_key)
        .map_err(|error| StageError::Corrupt(error.to_string()))?;
    let suspended: Vec<String> = book.suspended().iter().map(ToString::to_string).collect();
    let texts = book.of_kind(kind).map(|(key, version)| {
        let approvals: Vec<&str> = version
            .approvals
            .iter()
            .map(|one| one.officer().as_str())
            .collect();
        json!({
            "kind": kind.word(), "key": key, "text": version.text, "approvals": approvals,
            "versions": book.versions(kind, key), "suspended": suspended,
            "signatures": version.approvals, "why": version.why, "evidence": version.evidence,
        })
    });
    lines(texts.collect::<Vec<_>>())
}
