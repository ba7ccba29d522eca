//! Taking a case up, and giving it back: so that two officers do not do the same
//! work unknowingly. A claim gives no right and takes none away.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{CaseId, OfficerId, Timestamp};

use crate::documents::Document;
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::{CaseRow, CaseState};
use crate::stages::review::{CaseCard, Claim, card_of, load};

/// How long an officer keeps a case that was taken up.
const CLAIM: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// An officer takes a case up for an hour: nobody else is kept from voting.
///
/// # Errors
/// [`RefusalKind::NotNow`] while another officer has it, or where it is closed.
pub fn claim(gateway: &Gateway, officer: &OfficerId, id: &CaseId) -> Result<CaseCard, StageError> {
    let until = gateway.now().after(CLAIM);
    set_claim(gateway, officer, id, Some(until))
}

/// The officer gives it back.
///
/// # Errors
/// [`RefusalKind::NotNow`] where another officer has it.
pub fn unclaim(
    gateway: &Gateway,
    officer: &OfficerId,
    id: &CaseId,
) -> Result<CaseCard, StageError> {
    set_claim(gateway, officer, id, None)
}

fn set_claim(
    gateway: &Gateway,
    officer: &OfficerId,
    id: &CaseId,
    until: Option<Timestamp>,
) -> Result<CaseCard, StageError> {
    let (row, mut document, _, _) = load(gateway, id)?;
    let now = gateway.now();
    if row.state != CaseState::Open {
        let words = format!("the case is {} already", row.state);
        return Err(Refusal::new(RefusalKind::NotNow, words).into());
    }
    let others = document
        .claimed
        .as_ref()
        .filter(|claim| claim.until > now && claim.officer != *officer);
    if let Some(claim) = others {
        let words = format!("{} has taken it up until {}", claim.officer, claim.until);
        return Err(Refusal::new(RefusalKind::NotNow, words).into());
    }
    document.claimed = until.map(|until| Claim {
        officer: officer.clone(),
        until,
    });
    let mut changed = CaseRow {
        version: row.version + 1,
        document: document.encode()?,
        ..row
    };
    changed.mac = crate::rowmac::case(gateway, &changed);
    let event = Event::new(
        EventKind::ReviewClaimed,
        now,
        Actor::Officer(officer.clone()),
    )
    .message(changed.message)
    .detail(Key::Case, id.to_string())
    .detail(Key::Officer, officer.as_str())
    .detail(
        Key::Until,
        until.map_or_else(|| "given back".to_owned(), |until| until.to_string()),
    );
    gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateCase(Box::new(changed))],
        events: vec![event],
    })?;
    card_of(gateway, id)
}
