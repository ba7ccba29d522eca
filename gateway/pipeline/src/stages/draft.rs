//! A submission before it is sealed: what its decisions depend on, resolved
//! against directory and ledger.

use std::sync::Arc;

use chancery_message::{
    Channel, Intent, MessageId, ParticipantId, Purpose, RecipientRole, Submission, Timestamp,
};

use crate::documents::{MessageDocument, Originator, Source};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::rules::{Rules, Sender};
use crate::stages::label::Labelled;
use crate::stages::{forward, person, registry, sources};

/// A message before it is sealed: what its decisions depend on.
pub(crate) struct Draft {
    pub(crate) id: MessageId,
    pub(crate) labelled: Labelled,
    pub(crate) document: MessageDocument,
    pub(crate) names: Vec<String>,
    /// The last recipient is the central registry, which the sender did not name.
    pub(crate) joined: bool,
    /// A forward carries the content of the message that it passes on.
    pub(crate) forwarded: Option<forward::Forwarded>,
}

pub(crate) fn draft(
    gateway: &Gateway,
    submission: &Submission,
    sender: &Arc<Sender>,
    mut labelled: Labelled,
    addressed: &[(String, ParticipantId, RecipientRole)],
    now: Timestamp,
) -> Result<Draft, StageError> {
    let rules = gateway.rules();
    let found = sources::resolve(gateway, sender, &submission.derived_from)?;
    let in_reply_to = sources::answered(gateway, sender, submission)?;
    let forwarded = match &submission.intent {
        Intent::Forward { of } => Some(forward::open(gateway, sender, of, now)?),
        Intent::Send | Intent::Check | Intent::Reply { .. } => None,
    };
    let mut originator = originator(&rules, sender, submission, now);
    let mut addressees: Vec<ParticipantId> =
        addressed.iter().map(|(_, id, _)| id.clone()).collect();
    let others: Vec<_> = found
        .iter()
        .filter(|one| one.source.originator.as_ref() != Some(&sender.id))
        .collect();
    if let Some(forwarded) = &forwarded {
        forwarded.bind(&mut labelled);
        originator = forwarded.originator(sender);
        addressees.clone_from(&forwarded.document.addressed);
    } else if originator == Originator::Sender && !others.is_empty() {
        // Derived from another's message: not the sender's own information.
        originator = others
            .iter()
            .find_map(|one| one.source.originator.clone())
            .map_or(Originator::Unknown, Originator::Other);
    } else if originator != Originator::Sender && others.is_empty() {
        // Another's by name alone: whom that one addressed is not known here.
        addressees.clear();
    }
    // What is another's was meant for those whom that one named, and for nobody else.
    for other in others {
        addressees.retain(|id| other.addressed.contains(id));
    }
    let mut derived_from: Vec<Source> = found.into_iter().map(|one| one.source).collect();
    derived_from.extend(forwarded.as_ref().map(forward::Forwarded::source));
    let by_registry = registry::of(&rules, &sender.id, addressed, now);
    let joined = by_registry.is_some()
        && addressed.last().map(|(_, id, _)| id) == by_registry.as_ref()
        && submission
            .recipients
            .iter()
            .all(|named| rules.resolve(&named.name, &gateway.node.mail_domain, now) != by_registry);
    Ok(Draft {
        id: MessageId::mint(now, gateway.entropy.as_ref())?,
        document: MessageDocument {
            label: Some(labelled.label.clone()),
            asserted: labelled.asserted.clone(),
            standing: labelled.standing,
            originator,
            addressed: addressees,
            recipients: addressed
                .iter()
                .map(|(_, id, role)| (id.clone(), *role))
                .collect(),
            by_registry: by_registry.clone(),
            purpose: submission.purpose.unwrap_or_else(|| purpose_of(sender)),
            // What is not said releases least.
            personal_data: submission.personal_data.unwrap_or(true),
            evaluation: submission.evaluation,
            derived_from,
            forward_of: forwarded.as_ref().map(|one| one.message),
            in_reply_to,
            portions: labelled.portions,
            levels: forwarded
                .as_ref()
                .map_or_else(|| labelled.levels.clone(), |one| one.levels(&labelled)),
            original: None,
            attachment_bytes: 0,
            quarantine: None,
        },
        names: addressed.iter().map(|(name, _, _)| name.clone()).collect(),
        labelled,
        joined,
        forwarded,
    })
}

/// The purpose where the channel has no field for it: that of the sender's community.
fn purpose_of(sender: &Sender) -> Purpose {
    use chancery_message::Community;
    match sender.community {
        Community::Civilian => Purpose::CyberCrisis,
        Community::LawEnforcement => Purpose::LawEnforcement,
        Community::Diplomacy => Purpose::Diplomacy,
        Community::Defence => Purpose::CyberDefence,
        Community::Private => Purpose::Commercial,
        Community::Judicial => Purpose::Evidence,
    }
}

fn originator(
    rules: &Rules,
    sender: &Sender,
    submission: &Submission,
    now: Timestamp,
) -> Originator {
    match submission.originator.as_deref() {
        None => Originator::Sender,
        Some(name) if name == sender.id.as_str() => Originator::Sender,
        Some(name) => name
            .parse()
            .ok()
            // Whom the sender may not know of is nobody to it.
            .filter(|id| rules.by_id(id, now).is_some() && rules.may_know(sender, id, now))
            .map_or(Originator::Unknown, Originator::Other),
    }
}

/// Every recipient, known and visible to the sender, each once; or the whole
/// submission is refused. One that does not exist and one that the sender may
/// not know of get the same words.
pub(crate) fn recipients(
    gateway: &Gateway,
    rules: &Rules,
    sender: &Sender,
    submission: &Submission,
    now: Timestamp,
) -> Result<Vec<(String, ParticipantId, RecipientRole)>, StageError> {
    let mut found: Vec<(String, ParticipantId, RecipientRole)> = Vec::new();
    for requested in &submission.recipients {
        let id = rules
            .resolve(&requested.name, &gateway.node.mail_domain, now)
            .filter(|id| rules.may_know(sender, id, now));
        let Some(id) = id else {
            return Err(Refusal::new(
                RefusalKind::UnknownRecipient,
                "a recipient is not known: ask for the list of recipients; nothing was sent to anyone",
            )
            .into());
        };
        if !found.iter().any(|(_, other, _)| other == &id) {
            found.push((requested.name.clone(), id, requested.role));
        }
    }
    if let Intent::Reply { to } = &submission.intent {
        // An answer to something that the caller never had is none.
        let answered = sources::find(gateway, sender, to)?.ok_or_else(|| {
            Refusal::new(
                RefusalKind::NotFound,
                "there is no such message for you to answer",
            )
        })?;
        // Where nobody is named it goes to whoever wrote.
        if found.is_empty()
            && let Some(id) = answered.sender
            && id != sender.id
            && rules.may_know(sender, &id, now)
        {
            found.push((id.to_string(), id, RecipientRole::To));
        }
    }
    let europol = submission
        .siena
        .as_ref()
        .filter(|siena| siena.europol_in_copy);
    if let (Some(_), Some(id)) = (europol, &gateway.node.europol)
        && !found.iter().any(|(_, other, _)| other == id)
        && id != &sender.id
    {
        found.push((id.to_string(), id.clone(), RecipientRole::Copy));
    }
    if found.is_empty() {
        return Err(Refusal::new(RefusalKind::Invalid, "the message names no recipient").into());
    }
    registry::join(rules, &sender.id, &mut found, now)?;
    Ok(found)
}

/// A label above what the channel may carry never passes it (2015/444 Article
/// 21(5), 2019/1961 Article 15).
pub(crate) fn above_channel(
    rules: &Rules,
    channel: Channel,
    sender: &Sender,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Refusal> {
    person::may_send(sender, draft.labelled.label.level)?;
    let ceiling = rules.ceiling_of(sender, channel, now);
    if draft.labelled.label.level > ceiling {
        return Err(Refusal::new(
            RefusalKind::LabelAboveChannel,
            format!(
                "the message is {}, this channel may carry up to {ceiling}: use another channel",
                draft.labelled.label.level
            ),
        ));
    }
    Ok(())
}
