//! Who may order what: officers' signed orders, verified.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{MessageId, OfficerId};
use chancery_policy::approval::{self, Expected, Signed};
use chancery_policy::directory::Role;

use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::Step;

/// What an officer signs to give a message its label: the message and the
/// canonical label, or to refuse it: the message and nothing.
#[must_use]
pub fn label_digest(message: &MessageId, label: &str) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    hash.update(b"chancery-label-v1");
    hash.update(message.as_bytes());
    hash.update(label.as_bytes());
    hash.finalize().into()
}

/// The officer behind a signed order, in office and with the role for it.
///
/// # Errors
/// [`RefusalKind::Denied`], recorded.
pub fn officer_for(
    gateway: &Gateway,
    signed: &Signed,
    operation: &str,
    digest: [u8; 32],
) -> Result<OfficerId, StageError> {
    let now = gateway.now();
    let rules = gateway.rules();
    let expected = Expected {
        node: &gateway.node.name,
        operation,
        digest,
        roles: roles_for(operation),
        given_at: now,
    };
    match approval::verify(signed, &expected, &rules.directory().at(now)) {
        Ok(verified) => Ok(verified.officer().clone()),
        Err(error) => {
            denied(gateway, signed.officer(), operation, &error.to_string())?;
            Err(Refusal::new(RefusalKind::Denied, error.to_string()).into())
        }
    }
}

/// Which roles may order what.
#[must_use]
pub fn roles_for(operation: &str) -> &'static [Role] {
    match operation.split_once('.').map(|(desk, _)| desk) {
        Some("audit") => &[Role::Auditor, Role::Security],
        Some("rules") if operation != "rules.suspend" => {
            &[Role::Security, Role::Registry, Role::Auditor]
        }
        Some("consent") => &[Role::Registry, Role::Release, Role::Security],
        Some("review") => &[Role::Registry, Role::Release, Role::Security],
        _ => &[Role::Security],
    }
}

/// One record of somebody refused as an officer.
pub(crate) fn denied(
    gateway: &Gateway,
    officer: &OfficerId,
    operation: &str,
    why: &str,
) -> Result<(), StageError> {
    let event = Event::new(EventKind::OfficerDenied, gateway.now(), Actor::System)
        .detail(Key::Officer, officer.as_str())
        .detail(Key::Command, operation)
        .detail(Key::Rule, why);
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(())
}
