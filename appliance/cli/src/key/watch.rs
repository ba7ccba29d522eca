//! How far the rewrapping after a rotation is.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use chancery_hsm_api::KeyRole;
use chancery_hsm_custodian::KeyCard;
use serde_json::json;

use super::show;
use crate::failure::Failure;
use crate::officers::Desk;
use crate::out;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Shows it until it is done.
pub(super) fn rewrapping(desk: &Desk, role: &KeyRole, json: bool) -> Result<(), Failure> {
    if !matches!(role, KeyRole::Kek(_)) {
        return Err(Failure::usage("only key-encryption keys wrap anything"));
    }
    let mut last = None;
    loop {
        let cards = show::cards(desk)?;
        let old: Vec<&KeyCard> = cards
            .iter()
            .filter(|card| card.role == *role && card.destroyed_at.is_none())
            .filter(|card| card.superseded_at.is_some() || card.retired_at.is_some())
            .collect();
        let open: Vec<&&KeyCard> = old.iter().filter(|card| !card.closed).collect();
        let left: Option<u64> = open.iter().map(|card| card.blobs).sum();
        if last != Some((left, open.len())) {
            last = Some((left, open.len()));
            say(role, left, open.len(), json)?;
        }
        if open.is_empty() {
            return Ok(());
        }
        pause();
    }
}

fn say(role: &KeyRole, left: Option<u64>, open: usize, json: bool) -> Result<(), Failure> {
    if json {
        return out::json(&json!({
            "role": role.to_string(), "left": left, "generations": open, "done": open == 0,
        }));
    }
    let text = match (open, left) {
        (0, _) => format!("{role}: everything is under the newest generation"),
        (_, None) => format!("{role}: core has not counted yet"),
        (_, Some(left)) => format!("{role}: {left} left"),
    };
    let mut err = std::io::stderr().lock();
    if err.is_terminal() && open > 0 {
        let _told = write!(err, "\r{text}   ");
        return Ok(());
    }
    out::line(text)
}

/// Waits without an event: the register announces nothing.
fn pause() {
    let end = Instant::now() + PAUSE;
    while let Some(left) = end
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}
