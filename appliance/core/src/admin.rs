//! The officers' link. Every order is signed by the officer: a canonical
//! approval record over the digest of exactly this order, used once. The socket
//! alone gives no right.
//!
//! A request is one JSON header [`Order`]; the answer is a JSON header
//! [`Answer`] and, where there is more to say, a body of JSON lines.

use std::sync::Arc;

use bytes::Bytes;
use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_ipc::{Error, Exchange, Incoming, Limits, Links, Side, connection};
use chancery_message::{CaseId, MessageId};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::officers::{Answer, LONG_ORDER, Order, Request};
use chancery_pipeline::outcome::{Refusal, RefusalKind};
use chancery_pipeline::ports::{LedgerError, Step, Write};
use chancery_pipeline::rulebook;
use chancery_pipeline::stages::orders::officer_for;
use chancery_pipeline::stages::{claim, history, reading, review};
use tracing::{error, warn};

use crate::app::App;
use crate::doors::blocking;
use crate::start::OFFICERS;

/// Longest order, bytes.
const MOST: usize = 32 * 1024 * 1024;

/// Leaves read from the ledger at one time.
const PAGE: u32 = 500;

/// Serves officers for ever.
pub(crate) async fn serve(app: Arc<App>, links: Links) {
    loop {
        match links.accept(&OFFICERS).await {
            Ok(stream) => {
                let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
                let app = Arc::clone(&app);
                tokio::spawn(async move {
                    while let Some(request) = incoming.next().await {
                        if let Err(error) = one(&app, request).await {
                            warn!(%error, "an officer's request ended");
                        }
                    }
                });
            }
            Err(error) => {
                error!(%error, "the officers' link cannot be served");
                return;
            }
        }
    }
}

async fn one(app: &Arc<App>, request: Incoming) -> Result<(), Error> {
    let Exchange {
        mut send,
        mut receive,
    } = request.exchange;
    // A long order (a directory, a policy set) follows as the body.
    let long = if request.header.as_ref() == LONG_ORDER {
        Some(receive.collect(MOST).await?)
    } else {
        None
    };
    let order: Result<Order, _> = match &long {
        Some(bytes) => serde_json::from_slice(bytes),
        None => serde_json::from_slice(&request.header),
    };
    let done = match order {
        Ok(order) => {
            let app = Arc::clone(app);
            blocking(move || carry_out(&app, &order)).await
        }
        Err(_) => Err(Refusal::new(
            RefusalKind::Malformed,
            "this is not an order of this version",
        )
        .into()),
    };
    let (answer, lines) = match done {
        Ok(lines) => (Answer::Done, lines),
        Err(error) => {
            if !matches!(error, StageError::Refused(_)) {
                error!(%error, "an officer's order could not be carried out");
            }
            let refusal = error.refusal();
            let answer = Answer::Refused {
                kind: refusal.kind.name().to_owned(),
                detail: refusal.detail,
            };
            (answer, Vec::new())
        }
    };
    let header = serde_json::to_vec(&answer).map_err(|_| Error::Encode)?;
    send.header_bytes(Bytes::from(header))?;
    for line in lines {
        let mut line = line;
        line.push(b'\n');
        send.data(Bytes::from(line)).await?;
    }
    send.finish()
}

/// One order. Votes are verified where they are counted; everything else here.
fn carry_out(app: &App, order: &Order) -> Result<Vec<Vec<u8>>, StageError> {
    let gateway = &app.gateway;
    if let Request::Vote { case } = &order.request {
        let card = review::vote(gateway, &case_id(case)?, &order.signed)?;
        app.announce();
        return lines([card]);
    }
    let digest = order.request.digest()?;
    if let Request::Reject { message } = &order.request {
        review::reject(gateway, &message_id(message)?, &order.signed)?;
        return Ok(Vec::new());
    }
    if let Some(done) = crate::ruling::carry_out(app, order)? {
        return Ok(done);
    }
    let officer = officer_for(gateway, &order.signed, order.request.operation(), digest)?;
    if let Request::Label { message, label } = &order.request {
        let status = chancery_pipeline::stages::relabel::label(
            gateway,
            &message_id(message)?,
            &officer,
            label,
            order.signed.record.nonce,
        )?;
        app.announce();
        return lines([status]);
    }
    // Orders that only read are used once too.
    let event = Event::new(
        EventKind::OfficerAuthenticated,
        gateway.now(),
        Actor::Officer(officer.clone()),
    )
    .detail(Key::Command, order.request.operation())
    .detail(Key::Officer, officer.as_str());
    match gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![Write::InsertNonce(order.signed.record.nonce)],
        events: vec![event],
    }) {
        Ok(_) => {}
        Err(LedgerError::Duplicate { .. }) => {
            return Err(Refusal::new(
                RefusalKind::Replayed,
                "this order was used before: sign anew",
            )
            .into());
        }
        Err(error) => return Err(error.into()),
    }
    match &order.request {
        Request::Cases => lines(review::list(gateway, 1000)?),
        Request::Show { case, why } => {
            lines([reading::show(gateway, &officer, &case_id(case)?, why)?])
        }
        Request::AuditLeaves { from, limit } => {
            let leaves = gateway.ledger.leaves(*from, (*limit).min(100_000))?;
            Ok(leaves.into_iter().map(|leaf| leaf.record).collect())
        }
        Request::AuditMessage { message } => {
            let leaves = gateway.ledger.leaves_of(&message_id(message)?)?;
            Ok(leaves.into_iter().map(|leaf| leaf.record).collect())
        }
        Request::AuditExport => export(app),
        Request::Rules { kind } => crate::ruling::rules(app, kind),
        Request::Proposals => lines(rulebook::open_proposals(gateway)?),
        Request::MouReport { mou } => {
            let only = mou
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such MoU"))?;
            lines(rulebook::report(gateway, only.as_ref())?)
        }
        Request::PolicySets { hash } => lines(rulebook::past_sets(gateway, hash.as_deref())?),
        Request::Claim { case } => lines([claim::claim(gateway, &officer, &case_id(case)?)?]),
        Request::Unclaim { case } => lines([claim::unclaim(gateway, &officer, &case_id(case)?)?]),
        Request::Decisions {
            since,
            after,
            limit,
        } => {
            let page = history::decisions(gateway, *since, after.as_deref(), *limit)?;
            let next = serde_json::json!({ "after": page.after });
            let mut out = lines(page.decisions)?;
            out.extend(lines([next])?);
            Ok(out)
        }
        // Carried out above.
        Request::Vote { .. }
        | Request::Reject { .. }
        | Request::Label { .. }
        | Request::Propose { .. }
        | Request::Approve { .. }
        | Request::Suspend { .. }
        | Request::ConsentPaper { .. } => Ok(Vec::new()),
    }
}

/// The whole log with its checkpoints, up to the last signed one: first the
/// checkpoints' notes as JSON, then the records.
fn export(app: &App) -> Result<Vec<Vec<u8>>, StageError> {
    let gateway = &app.gateway;
    if let Err(error) = crate::checkpoints::sign(app) {
        warn!(
            error,
            "the export ends before the head: it could not be signed"
        );
    }
    let head = gateway.ledger.head()?;
    let mut out = Vec::new();
    for checkpoint in gateway.ledger.checkpoints(0, head.size)? {
        let line =
            serde_json::json!({ "checkpoint": checkpoint.note, "at": checkpoint.at.to_string() });
        out.push(line.to_string().into_bytes());
    }
    let mut from = 0;
    while from < head.size {
        let leaves = gateway.ledger.leaves(from, PAGE)?;
        if leaves.is_empty() {
            break;
        }
        from += u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        out.extend(leaves.into_iter().map(|leaf| leaf.record));
    }
    Ok(out)
}

pub(crate) fn lines<T: serde::Serialize>(
    values: impl IntoIterator<Item = T>,
) -> Result<Vec<Vec<u8>>, StageError> {
    values
        .into_iter()
        .map(|value| {
            serde_json::to_vec(&value)
                .map_err(|_| StageError::Corrupt("an answer cannot be written".to_owned()))
        })
        .collect()
}

pub(crate) fn case_id(text: &str) -> Result<CaseId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such case"))
}

fn message_id(text: &str) -> Result<MessageId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such message"))
}
