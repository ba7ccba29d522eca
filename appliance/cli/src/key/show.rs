//! The register of keys, shown.

use chancery_hsm_api::KeyRole;
use chancery_hsm_custodian::{KeyCard, KeyState};
use chancery_machine::SystemClock;
use chancery_message::{Clock as _, Timestamp};
use serde_json::{Value, json};

use super::{custody, dossier::settings};
use crate::failure::Failure;
use crate::officers::Desk;
use crate::out;

/// All keys.
pub(super) fn list(desk: &Desk, all: bool, json: bool) -> Result<(), Failure> {
    let mut cards = cards(desk)?;
    if !all {
        cards.retain(|card| card.destroyed_at.is_none());
    }
    shown(&cards, json)
}

/// All generations of one role.
pub(super) fn one(desk: &Desk, role: &KeyRole, json: bool) -> Result<(), Failure> {
    let mut cards = cards(desk)?;
    cards.retain(|card| card.role == *role);
    if cards.is_empty() {
        return Err(Failure::new(format!("this node has no key for {role}")));
    }
    shown(&cards, json)
}

/// What the token can do, by role and plan, as the custodian tried it at its start.
pub(super) fn capabilities(desk: &Desk, json: bool) -> Result<(), Failure> {
    let rows = custody::client(&settings(desk)?)
        .capabilities()
        .map_err(custody::told)?;
    for row in &rows {
        if json {
            out::json(row)?;
            continue;
        }
        let state = match (row.chosen, row.works) {
            (true, _) => "used".to_owned(),
            (false, Some(true)) => "works".to_owned(),
            (false, Some(false) | None) => row.why_not(),
        };
        out::line(format!(
            "{:<24} {:<16} {:<44} {state}",
            row.roles,
            row.plan,
            row.mechanisms.join(" ")
        ))?;
    }
    Ok(())
}

/// The generation that would be made next.
pub(super) fn next(desk: &Desk, role: &KeyRole) -> Result<u32, Failure> {
    Ok(cards(desk)?
        .iter()
        .filter(|card| card.role == *role)
        .map(|card| card.generation + 1)
        .max()
        .unwrap_or(1))
}

pub(super) fn cards(desk: &Desk) -> Result<Vec<KeyCard>, Failure> {
    custody::client(&settings(desk)?)
        .cards()
        .map_err(custody::told)
}

fn shown(cards: &[KeyCard], json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    for card in cards {
        if json {
            out::json(&as_json(card, now))?;
        } else {
            out::line(as_line(card, now))?;
        }
    }
    Ok(())
}

fn time(at: i64) -> String {
    Timestamp::from_micros(at).to_string()
}

fn as_json(card: &KeyCard, now: Timestamp) -> Value {
    json!({
        "role": card.role.to_string(), "generation": card.generation,
        "state": card.state(now.as_micros()).word(),
        "made_at": time(card.made_at), "active_from": card.active_from.map(time),
        "make_until": card.make_until.map(time), "open_until": card.open_until.map(time),
        "retired_at": card.retired_at.map(time), "superseded_at": card.superseded_at.map(time),
        "destroyed_at": card.destroyed_at.map(time), "blobs": card.blobs, "closed": card.closed,
    })
}

fn as_line(card: &KeyCard, now: Timestamp) -> String {
    let state = card.state(now.as_micros());
    let day = |at: i64| time(at).chars().take(10).collect::<String>();
    let until = match (state, card.make_until) {
        (KeyState::Active, Some(end)) => format!("makes until {}", day(end)),
        (KeyState::Active, None) => "without an end".to_owned(),
        (KeyState::Deactivated, _) if card.closed => "nothing is under it: destroy it".to_owned(),
        (KeyState::Deactivated, _) => card.blobs.map_or_else(
            || "opens what it made".to_owned(),
            |blobs| format!("{blobs} still under it"),
        ),
        _ => String::new(),
    };
    format!(
        "{:<28} {:>3}  {:<12} since {}  {until}",
        card.role.to_string(),
        card.generation,
        state.word(),
        day(card.active_from.unwrap_or(card.made_at)),
    )
}
