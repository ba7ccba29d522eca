//! Whether the cryptography that carries a message, or carried it here, is
//! allowed for its label: the session, OpenPGP, the token's wrapping. It stands
//! beside the gates and only ever refuses.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_hsm_api::WrapScheme;
use chancery_label::Label;
use chancery_message::{
    AttachmentContent, BodyId, Inbound, Submission, Timestamp, TransportEvidence,
};
use chancery_policy::crypto::{NotAllowed, Session, TlsVersion, Use};

use crate::carriage::openpgp;
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::Step;
use crate::rows::DeliveryRow;
use crate::rules::Rules;

/// Over what a released message will travel.
#[derive(Clone, Copy, Debug)]
pub enum Over<'a> {
    /// Out of an inbox, over this session.
    Session(&'a TransportEvidence),
    /// By mail: the door compares the relay's session with what core tells it.
    Relay,
}

/// A session that no door would have: what is not known of an upload.
const UNKNOWN: &str = "";

/// Whether what the transport proved may carry this label.
fn session(
    rules: &Rules,
    transport: &TransportEvidence,
    label: &Label,
    now: Timestamp,
) -> Result<(), NotAllowed> {
    let crypto = rules.crypto();
    let (group, signature) = match transport {
        TransportEvidence::MutualTls { certificate, group } => {
            (group.as_str(), Some(certificate.key.as_str()))
        }
        TransportEvidence::ServerTls { group } => (group.as_str(), None),
        // Over no network: what counts is the content's own protection.
        TransportEvidence::Local => return Ok(()),
    };
    let session = Session {
        version: TlsVersion::V13,
        group,
        signature,
    };
    crypto.session(&session, crypto.need(label), now)
}

fn refusal(why: &NotAllowed) -> Refusal {
    Refusal::new(RefusalKind::WeakProtection, why.to_string())
}

/// Whether a submission came as well protected as its label wants: over its
/// session, by its OpenPGP, its uploads over theirs.
pub(crate) fn received(
    gateway: &Gateway,
    rules: &Rules,
    inbound: &Inbound,
    submission: &Submission,
    label: &Label,
    now: Timestamp,
) -> Result<(), Refusal> {
    session(rules, &inbound.peer.transport, label, now).map_err(|why| refusal(&why))?;
    if let Some(used) = &submission.protection {
        let crypto = rules.crypto();
        crypto
            .openpgp(&openpgp(used), crypto.need(label), now)
            .map_err(|why| refusal(&why))?;
    }
    for attachment in &submission.attachments {
        let AttachmentContent::Uploaded(id) = &attachment.content else {
            continue;
        };
        // An id that is none is told where the upload is looked for.
        let Ok(id) = id.parse::<BodyId>() else {
            continue;
        };
        uploaded(gateway, rules, id, label, now)?;
    }
    Ok(())
}

/// Of an upload from before core started it is not known how it came: it counts
/// as the weakest session that the policy allows for anything.
fn uploaded(
    gateway: &Gateway,
    rules: &Rules,
    id: BodyId,
    label: &Label,
    now: Timestamp,
) -> Result<(), Refusal> {
    let weak = |why: &NotAllowed| {
        Refusal::new(
            RefusalKind::WeakProtection,
            format!(
                "an attachment was uploaded over a session that is not enough; upload it again over one that is: {why}"
            ),
        )
    };
    if let Some(over) = gateway.uploaded_over(&id) {
        return session(rules, &over, label, now).map_err(|why| weak(&why));
    }
    let crypto = rules.crypto();
    let need = crypto.need(label);
    let lowest = chancery_policy::crypto::Need {
        level: chancery_label::Level::Nc,
        hybrid: false,
    };
    for group in crypto.allowed(Use::TlsGroup, lowest, now) {
        crypto
            .allows(Use::TlsGroup, group, need, now)
            .map_err(|mut why| {
                why.name = UNKNOWN.to_owned();
                Refusal::new(
                    RefusalKind::WeakProtection,
                    format!(
                        "it is not known any more over which session an attachment was uploaded, and {} is not carried by every kind: upload it again",
                        why.level
                    ),
                )
            })?;
    }
    Ok(())
}

/// Whether a release may travel so. A session that may not carry it changes
/// nothing: the delivery waits to be fetched over one that may, and the attempt
/// is recorded.
pub(crate) fn given(
    gateway: &Gateway,
    rules: &Rules,
    row: &DeliveryRow,
    label: Option<&Label>,
    over: Over<'_>,
    now: Timestamp,
) -> Result<(), StageError> {
    let (Some(label), Over::Session(transport)) = (label, over) else {
        // By mail alone nothing is fetched.
        return if matches!(over, Over::Relay) && row.channel.is_pulled() {
            Err(Refusal::new(
                RefusalKind::WeakProtection,
                "what waits in an inbox is given out over its own session alone",
            )
            .into())
        } else {
            Ok(())
        };
    };
    let Err(why) = session(rules, transport, label, now) else {
        return Ok(());
    };
    let mut event = Event::new(
        EventKind::ReleaseBarred,
        now,
        Actor::Participant(row.recipient.clone()),
    )
    .message(row.message)
    .delivery(row.id)
    .detail(Key::Recipient, row.recipient.as_str())
    .detail(Key::Channel, row.channel.name())
    .detail(Key::Effective, chancery_label::marking::format(label))
    .detail(Key::Reason, why.to_string());
    if let TransportEvidence::MutualTls { group, .. } | TransportEvidence::ServerTls { group } =
        transport
    {
        event = event.detail(Key::Group, group.as_str());
    }
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Err(refusal(&why).into())
}

/// Why a listing does not show a subject over this session; none where it may.
pub(crate) fn hides(
    rules: &Rules,
    transport: &TransportEvidence,
    label: &Label,
    now: Timestamp,
) -> Option<String> {
    session(rules, transport, label, now)
        .err()
        .map(|why| why.to_string())
}

/// Whether the token's way of wrapping a content key is allowed for its label.
pub(crate) fn wrapped(gateway: &Gateway, scheme: WrapScheme, label: &Label) -> Result<(), Refusal> {
    let rules = gateway.rules();
    let crypto = rules.crypto();
    crypto
        .allows(
            Use::KeyWrap,
            &scheme.to_string(),
            crypto.need(label),
            gateway.now(),
        )
        .map_err(|why| refusal(&why))
}
