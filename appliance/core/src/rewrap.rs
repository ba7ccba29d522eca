//! Rewrapping in the background: what is under a key-encryption key that was
//! turned over moves under the newest generation, what was opened first; then
//! the old one is closed and the custodian is told, so that it may be destroyed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_api::{KekId, KeyRole, MacUse};
use chancery_hsm_custodian::{KeyCard, KeyState};
use chancery_pipeline::stages::rewrap;
use tracing::{error, info};

use crate::app::App;

/// Between two looks at the register of keys.
const EVERY: Duration = Duration::from_secs(2);

/// Content keys moved between two reports of how many are left.
const BATCH: u32 = 50;

/// Looks and rewraps, for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let app = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || pass(&app)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error, "rewrapping stopped for now; it goes on later"),
            Err(error) => error!(%error, "rewrapping ended"),
        }
    }
}

/// One look: everything that is under an older generation, batch by batch.
fn pass(app: &App) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let cards = app.keys.cards().map_err(|error| say(&error))?;
    let now = app.gateway.now().as_micros();
    let newest = newest(&cards, now);
    app.gateway.set_newest(newest.clone());
    follow_digest_keys(app, &cards, now)?;
    for holder in app.gateway.take_stale() {
        rewrap::rewrap(&app.gateway, &holder).map_err(|error| say(&error))?;
    }
    for card in cards {
        let KeyRole::Kek(kek) = &card.role else {
            continue;
        };
        let over = card.superseded_at.is_some() || card.retired_at.is_some();
        if !over || card.closed || card.destroyed_at.is_some() || card.active_from.is_none() {
            continue;
        }
        turn_over(app, kek, card.generation, newest.contains_key(kek))?;
    }
    Ok(())
}

/// After a rotation of a digest key new rows and indexes are written under the
/// newest generation; what stands under those before is still found and checked.
fn follow_digest_keys(app: &App, cards: &[KeyCard], now: i64) -> Result<(), String> {
    let generations = |usage| crate::keys::digest_generations(cards, usage, now);
    let keys = app.keys.as_ref();
    let (rows, indexes) = (generations(MacUse::Row), generations(MacUse::Index));
    let gateway = &app.gateway;
    let turned = gateway.row_key.renew(keys, &rows);
    if turned.map_err(|error| error.to_string())? {
        info!(generations = ?rows, "rows are authenticated under the newest key");
    }
    let turned = gateway.index_key.renew(keys, &indexes);
    if turned.map_err(|error| error.to_string())? {
        info!(generations = ?indexes, "indexes are written under the newest key");
    }
    Ok(())
}

/// The generation of each KEK that makes things.
fn newest(cards: &[KeyCard], now: i64) -> BTreeMap<KekId, u32> {
    cards
        .iter()
        .filter(|card| card.state(now) == KeyState::Active)
        .filter_map(|card| match &card.role {
            KeyRole::Kek(kek) => Some((kek.clone(), card.generation)),
            _ => None,
        })
        .collect()
}

/// Empties one generation, as far as there is another to move to.
fn turn_over(app: &App, kek: &KekId, generation: u32, has_next: bool) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let ledger = app.gateway.ledger.as_ref();
    loop {
        let left = ledger
            .count_under_kek(kek, generation)
            .map_err(|error| say(&error))?;
        let closed = left == 0
            && rewrap::close(&app.gateway, kek, generation).map_err(|error| say(&error))?;
        app.keys
            .note_blobs(kek, generation, left, closed)
            .map_err(|error| say(&error))?;
        if closed {
            info!(%kek, generation, "nothing is under this key any more: it may be destroyed");
            return Ok(());
        }
        if !has_next {
            return Ok(());
        }
        let batch = ledger
            .under_kek(kek, generation, BATCH)
            .map_err(|error| say(&error))?;
        let mut moved = 0;
        for holder in &batch {
            if rewrap::rewrap(&app.gateway, holder).map_err(|error| say(&error))? {
                moved += 1;
            }
        }
        if moved == 0 {
            // All changed meanwhile: they are met again at the next look.
            return Ok(());
        }
    }
}
