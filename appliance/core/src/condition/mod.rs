//! How the node fares, for who operates it: health as JSON, numbers as
//! Prometheus' text. No content, no subject, no participant: what concerns one
//! participant is told to officers alone, from the log.

mod counts;
mod presence;
mod text;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_hsm_custodian::Status;
use chancery_pipeline::ports::{LedgerError, Reply, ReplyBody};
use chancery_pipeline::protocol::Condition;
use chancery_pipeline::rows::DeliveryState;
use serde_json::{Map, Value, json};

use crate::app::App;
pub(crate) use counts::Counts;
pub(crate) use presence::Presence;
use text::Text;

/// How long the custodian may take to say how it fares.
const PATIENCE: Duration = Duration::from_secs(3);

/// The states in which a delivery waits for something.
const WAITING: [DeliveryState; 4] = [
    DeliveryState::Queued,
    DeliveryState::Held,
    DeliveryState::Opened,
    DeliveryState::Deferred,
];

/// What was found.
struct Found {
    /// None where the custodian does not answer.
    custodian: Option<Status>,
    /// None where the database does not.
    store: Option<Numbers>,
    /// Each process with whether it is connected, and how often it came.
    processes: Vec<(String, bool, u64)>,
    signed: u64,
    behind: Duration,
    releases: bool,
}

/// What the database says.
struct Numbers {
    size: u64,
    cases: u64,
    waiting: Vec<(DeliveryState, u64)>,
    /// Age of the oldest that waits, microseconds.
    oldest: i64,
}

/// The node's condition in that form.
pub(crate) async fn tell(app: Arc<App>, form: Condition) -> Reply {
    let found = find(&app).await;
    match form {
        Condition::Health => {
            let (well, body) = health(&found);
            reply(if well { 200 } else { 503 }, "application/json", body)
        }
        Condition::Metrics => {
            let body = metrics(&app, &found);
            reply(200, "text/plain; version=0.0.4; charset=utf-8", body)
        }
    }
}

fn reply(status: u16, content_type: &str, body: String) -> Reply {
    Reply {
        status,
        content_type: content_type.to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from(body)),
        per_recipient: Vec::new(),
    }
}

async fn find(app: &Arc<App>) -> Found {
    let asking = Arc::clone(app);
    let status = tokio::task::spawn_blocking(move || asking.keys.status().ok());
    let custodian = tokio::time::timeout(PATIENCE, status)
        .await
        .ok()
        .and_then(Result::ok)
        .flatten();
    let reading = Arc::clone(app);
    let store = tokio::task::spawn_blocking(move || {
        reading.counts.advance(reading.gateway.ledger.as_ref())?;
        numbers(&reading)
    })
    .await;
    let store = match store {
        Ok(Ok(numbers)) => Some(numbers),
        Ok(Err(error)) => {
            tracing::error!(%error, "the database does not say how it fares");
            None
        }
        Err(error) => {
            tracing::error!(%error, "looking at the database ended");
            None
        }
    };
    let (signed, behind) = app.anchor.lag();
    let size = store.as_ref().map_or(0, |numbers| numbers.size);
    Found {
        custodian,
        store,
        processes: app.presence.all(),
        signed,
        behind,
        releases: app.anchor.allows_release(size).is_ok(),
    }
}

fn numbers(app: &App) -> Result<Numbers, LedgerError> {
    let ledger = app.gateway.ledger.as_ref();
    let now = app.gateway.now();
    let mut waiting = Vec::new();
    let mut oldest = 0;
    for state in WAITING {
        let (count, since) = ledger.count_in_state(state)?;
        waiting.push((state, count));
        let age = since.map_or(0, |since| now.as_micros() - since.as_micros());
        oldest = oldest.max(age);
    }
    Ok(Numbers {
        size: ledger.head()?.size,
        cases: ledger.count_open_cases()?,
        waiting,
        oldest,
    })
}

/// Whether all is well, and the answer.
fn health(found: &Found) -> (bool, String) {
    let word = |well: bool| Value::from(if well { "well" } else { "unwell" });
    let custodian = found.custodian.as_ref();
    let mut all = vec![
        ("core".to_owned(), true),
        ("custodian".to_owned(), custodian.is_some()),
        (
            "custodian_log".to_owned(),
            custodian.is_some_and(|status| status.log_writable),
        ),
        (
            "token".to_owned(),
            custodian.is_some_and(|status| status.token.working),
        ),
        ("store".to_owned(), found.store.is_some()),
        ("log_signed".to_owned(), found.releases),
    ];
    all.extend(
        found
            .processes
            .iter()
            .map(|(name, here, _)| (name.clone(), *here)),
    );
    let well = all.iter().all(|(_, well)| *well);
    let parts: Map<String, Value> = all
        .into_iter()
        .map(|(name, well)| (name, word(well)))
        .collect();
    let answer = json!({ "status": word(well), "parts": parts });
    (well, format!("{answer}\n"))
}

fn metrics(app: &App, found: &Found) -> String {
    let mut text = Text::default();
    let yes = |is: bool| u64::from(is);
    let custodian = found.custodian.as_ref();

    text.gauge("chancery_up", "Whether a part of the node works.");
    text.value("chancery_up", &[("part", "core")], 1);
    text.value(
        "chancery_up",
        &[("part", "custodian")],
        yes(custodian.is_some()),
    );
    let token = custodian.is_some_and(|status| status.token.working);
    text.value("chancery_up", &[("part", "token")], yes(token));
    text.value(
        "chancery_up",
        &[("part", "store")],
        yes(found.store.is_some()),
    );
    for (name, here, _) in &found.processes {
        text.value("chancery_up", &[("part", name)], yes(*here));
    }

    let restarts = "chancery_process_restarts_total";
    text.counter(
        restarts,
        "Times that a door or reader came again since core started.",
    );
    for (name, _, came) in &found.processes {
        text.value(restarts, &[("process", name)], came.saturating_sub(1));
    }

    app.counts.write(&mut text);

    if let Some(numbers) = &found.store {
        text.gauge("chancery_review_open", "Cases that wait for officers.");
        text.value("chancery_review_open", &[], numbers.cases);
        let waiting = "chancery_deliveries_waiting";
        text.gauge(waiting, "Deliveries that are not at their end.");
        for (state, count) in &numbers.waiting {
            text.value(waiting, &[("state", state.word())], *count);
        }
        let oldest = "chancery_delivery_oldest_seconds";
        text.gauge(
            oldest,
            "Age of the oldest delivery that waits; 0 without one.",
        );
        text.value(
            oldest,
            &[],
            u64::try_from(numbers.oldest / 1_000_000).unwrap_or(0),
        );
        text.gauge("chancery_log_records", "Records of the audit log.");
        text.value("chancery_log_records", &[], numbers.size);
    }
    text.gauge(
        "chancery_log_signed_records",
        "Records under the last signed checkpoint.",
    );
    text.value("chancery_log_signed_records", &[], found.signed);
    let lag = "chancery_log_unsigned_seconds";
    text.gauge(
        lag,
        "For how long the log has grown past its last checkpoint.",
    );
    text.value(lag, &[], found.behind.as_secs());

    if let Some(status) = custodian {
        custody(&mut text, status);
    }
    text.finish()
}

fn custody(text: &mut Text, status: &Status) {
    let calls = "chancery_custody_calls_total";
    text.counter(calls, "What was asked of the custodian since it started.");
    for (client, operation, tally) in &status.tallies {
        let (client, operation) = (client.to_string(), operation.to_string());
        for (outcome, count) in [
            ("done", tally.done),
            ("refused", tally.refused),
            ("busy", tally.busy),
            ("failed", tally.failed),
        ] {
            let labels = [
                ("client", client.as_str()),
                ("operation", operation.as_str()),
                ("outcome", outcome),
            ];
            text.value(calls, &labels, count);
        }
    }
    let renewals = "chancery_token_renewals_total";
    text.counter(
        renewals,
        "Sessions or logins at the token that were lost and renewed.",
    );
    text.value(renewals, &[], status.token.renewals);
    text.gauge(
        "chancery_custodian_log_records",
        "Lines of the custodian's own log.",
    );
    text.value("chancery_custodian_log_records", &[], status.log.seq);
}
