//! What will end soon is recorded 30, 7 and 1 days before: keys, MoUs,
//! clearances, accreditations, partners' OpenPGP certificates.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key, Record};
use chancery_hsm_api::KeyRole;
use chancery_hsm_custodian::{KeyCard, KeyState};
use chancery_mail::content::certificate;
use chancery_message::Timestamp;
use chancery_pipeline::ports::Step;
use chancery_policy::foresight;
use tracing::error;

use crate::app::App;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60 * 60);
const DAY: u64 = 24 * 60 * 60;

/// Days before the end at which it is recorded, the nearest first.
const DAYS: [u64; 3] = [1, 7, 30];

/// What ends: kind and name, and when.
type Soon = (String, String, Timestamp);

/// What was recorded: kind, name, end, and how many days before.
#[derive(Clone, Default)]
struct Said {
    all: BTreeSet<(String, String, String, u64)>,
    /// True once the log was asked what was recorded before this start.
    remembers: bool,
}

/// Leaves read at once.
const PART: u64 = 2000;

/// Looks, for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut every = tokio::time::interval(EVERY);
    let mut said = Said::default();
    loop {
        every.tick().await;
        let app = Arc::clone(&app);
        let before = said.clone();
        match tokio::task::spawn_blocking(move || look(&app, before)).await {
            Ok(Ok(now)) => said = now,
            Ok(Err(error)) => error!(
                error,
                "what ends soon could not be recorded; it is tried again"
            ),
            Err(error) => error!(%error, "looking for what ends soon ended"),
        }
    }
}

/// Records what is new; what was recorded by then.
fn look(app: &App, mut said: Said) -> Result<Said, String> {
    let now = app.gateway.now();
    let cards = app.keys.cards().map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    for (kind, name, ends) in soon(app, &cards, now) {
        let left = ends.since(now).as_secs().div_ceil(DAY);
        let Some(threshold) = DAYS.into_iter().find(|days| left <= *days) else {
            continue;
        };
        let this = (kind.clone(), name.clone(), ends.to_string(), threshold);
        if said.all.contains(&this) {
            continue;
        }
        if !said.remembers {
            said.all.append(&mut said_before(app, now)?);
            said.remembers = true;
        }
        if said.all.insert(this) {
            events.push(
                Event::new(EventKind::KeyEnding, now, Actor::process("core"))
                    .detail(Key::KeyRole, kind)
                    .detail(Key::Name, name)
                    .detail(Key::Expires, ends.to_string())
                    .detail(Key::Count, left),
            );
        }
    }
    if !events.is_empty() {
        let step = Step {
            events,
            ..Step::default()
        };
        app.gateway
            .ledger
            .commit(step)
            .map_err(|error| error.to_string())?;
    }
    Ok(said)
}

/// What the log tells of before this start: nothing is recorded twice. Read
/// backwards from its end, for as long as what it tells can still matter.
fn said_before(
    app: &App,
    now: Timestamp,
) -> Result<BTreeSet<(String, String, String, u64)>, String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let ledger = app.gateway.ledger.as_ref();
    let longest = DAYS.into_iter().max().unwrap_or_default();
    let span = i64::try_from((longest + 1) * DAY * 1_000_000).unwrap_or(i64::MAX);
    let since = Timestamp::from_micros(now.as_micros().saturating_sub(span));
    let mut end = ledger.head().map_err(|error| say(&error))?.size;
    let mut all = BTreeSet::new();
    while end > 0 {
        let from = end.saturating_sub(PART);
        let count = u32::try_from(end - from).unwrap_or(u32::MAX);
        let leaves = ledger.leaves(from, count).map_err(|error| say(&error))?;
        let mut old = false;
        for leaf in leaves {
            let record = Record::parse(&leaf.record).map_err(|error| say(&error))?;
            old |= record.event.at < since;
            all.extend(said_by(&record.event));
        }
        end = if old { 0 } else { from };
    }
    Ok(all)
}

/// What one record says, if it is one of these.
fn said_by(event: &Event) -> Option<(String, String, String, u64)> {
    if event.kind != EventKind::KeyEnding {
        return None;
    }
    let word = |key| event.details.get(key)?.as_text().map(str::to_owned);
    let left = event.details.get(Key::Count)?.as_integer()?;
    let left = u64::try_from(left).ok()?;
    let threshold = DAYS.into_iter().find(|days| left <= *days)?;
    Some((
        word(Key::KeyRole)?,
        word(Key::Name)?,
        word(Key::Expires)?,
        threshold,
    ))
}

/// All that ends within the longest of [`DAYS`].
fn soon(app: &App, cards: &[KeyCard], now: Timestamp) -> Vec<Soon> {
    let until = now.after(Duration::from_secs(30 * DAY));
    let rules = app.gateway.rules();
    let mut all: Vec<Soon> = foresight::endings(rules.directory(), rules.register(), now, until)
        .into_iter()
        .map(|one| (one.kind.to_owned(), one.name, one.ends))
        .collect();
    for card in cards {
        let end = match &card.role {
            KeyRole::Mac(_) | KeyRole::PgpDecrypt => card.open_until,
            _ => card.make_until.into_iter().chain(card.open_until).min(),
        };
        if let Some(end) = end.filter(|_| card.state(now.as_micros()) == KeyState::Active) {
            let name = format!("{}#{}", card.role, card.generation);
            all.push(("key".to_owned(), name, Timestamp::from_micros(end)));
        }
    }
    for one in rules.directory().participants() {
        let armored = one
            .mail
            .as_ref()
            .and_then(|mail| mail.openpgp_certificate.as_deref());
        let ends = armored
            .and_then(|text| certificate::read_file(text.as_bytes()).ok())
            .and_then(|bytes| certificate::inspect(&bytes, now).ok())
            .and_then(|info| info.expires_at);
        if let Some(ends) = ends {
            all.push(("openpgp".to_owned(), one.id.to_string(), ends));
        }
    }
    all.retain(|(_, _, ends)| *ends > now && *ends <= until);
    all
}
