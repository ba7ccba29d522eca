//! The facts of one release, derived: one room per source, as the last table of
//! the decision's description says.
//!
//! Nothing that widens a release comes from message text. Where a source is
//! absent, the fact takes the value that releases least.

mod agreements;
mod channel;
mod flags;
mod label;
mod message;
mod origin;
mod parties;

use chancery_label::{Label, Level};
use chancery_message::{Channel, MessageId, ParticipantId, Purpose};

use crate::decision::Obligation;
use crate::directory::{Participant, View};
use crate::facts::{Consent, Facts, LabelState};
use crate::mou::{MouFact, Register};

pub use agreements::crossing;
pub use message::purpose_of;

/// What is known of a message, whoever receives it.
#[derive(Clone, Debug)]
pub struct MessageMeta {
    /// Its id.
    pub id: MessageId,
    /// What the label stage made of it: asserted label ⊔ channel floor ⊔
    /// markings found in the content, attachments and portions joined; with a
    /// conflict the higher of the readings; where it is missing or invalid, what
    /// is known of it (the channel's floor).
    pub label: Label,
    /// The label as the sender asserted it, where one could be read: if that is
    /// below a source, it is a drop even where the effective label is not.
    pub asserted: Option<Label>,
    /// How that came out.
    pub label_state: LabelState,
    /// The submission's purpose, where its channel has a field for it.
    pub purpose: Option<Purpose>,
    /// The submission's personal data flag, where its channel has a field for it.
    pub personal_data: Option<bool>,
    /// The originator.
    pub originator: Originator,
    /// Whether it passes on a stored message: never the originator's own release.
    pub forward: bool,
    /// The messages that it is derived from or quotes by reference.
    pub derived_from: Vec<Source>,
    /// To whom the originator itself addressed it: of the sender's own message
    /// the submission's recipients, of a forward those of the original; none
    /// where that is not known.
    pub addressees: Option<Vec<ParticipantId>>,
    /// Whether evaluation codes were given.
    pub evaluated: bool,
    /// How many portions of its most frequent level it has; 0 without portion marks.
    pub portions: usize,
}

/// Who originated a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Originator {
    /// The authenticated sender: the submission names nobody else.
    Sender,
    /// Another participant of the directory.
    Participant(ParticipantId),
    /// Somebody whom the directory does not have.
    Unknown,
}

/// A message that another is derived from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its label; none where the gateway does not hold it.
    pub label: Option<Label>,
    /// Its originator; none where that is not known.
    pub originator: Option<ParticipantId>,
}

/// Settings of derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// More portions of one level than this make an aggregate.
    pub portions_of_one_level: usize,
}

impl Default for Thresholds {
    /// Ten: set it by `aggregate.portions` of the configuration.
    fn default() -> Self {
        Self {
            portions_of_one_level: 10,
        }
    }
}

/// One release to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The message.
    pub message: &'a MessageMeta,
    /// The authenticated sender.
    pub sender: &'a ParticipantId,
    /// To whom.
    pub recipient: &'a ParticipantId,
    /// By which channel; none: the one by which the recipient is reached.
    pub channel: Option<Channel>,
    /// What the consent register says of message, recipient and time.
    pub consent: Consent,
}

/// The facts of a release, and what the record cites beside them. Made by
/// [`facts`] alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Derived {
    /// The facts; their `id` is [`fact_id`].
    pub facts: Facts,
    /// The message's label.
    pub label: Label,
    /// Which MoU covers it, or which article stands against it.
    pub mou: MouFact,
    /// The channel that it goes by; none where the recipient has no usable one.
    pub channel: Option<Channel>,
    /// Obligations that do not come from the facts: the national marking.
    pub obligations: Vec<Obligation>,
    /// The epoch of the directory that it was derived from.
    pub epoch: u64,
}

impl Derived {
    /// The same over a way whose cryptography carries no more than this: the
    /// approval of the channel is for the exact profile that the message would
    /// travel with, and never above it.
    #[must_use]
    pub fn carried_by(mut self, ceiling: Level) -> Self {
        self.facts.crypto_approval = self.facts.crypto_approval.min(ceiling);
        self
    }
}

/// A release about which there are no facts: it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Underivable {
    /// The sender is not in the directory now, or is suspended.
    #[error("the sender is not in force in the directory")]
    Sender,
    /// The recipient is not in the directory now, or is suspended.
    #[error("the recipient is not in force in the directory")]
    Recipient,
}

/// The `id` of the facts of a release: `message/recipient`.
#[must_use]
pub fn fact_id(message: MessageId, recipient: &ParticipantId) -> String {
    format!("{message}/{recipient}")
}

/// Derives the facts of a release at the view's moment.
///
/// # Errors
/// [`Underivable`] where an end is not in force: [`crate::engine::Engine::refuse`] decides it.
pub fn facts(
    release: &Release<'_>,
    directory: &View<'_>,
    register: &Register,
    thresholds: &Thresholds,
) -> Result<Derived, Underivable> {
    let sender = directory.by_id(release.sender).ok_or(Underivable::Sender)?;
    let recipient = directory
        .by_id(release.recipient)
        .ok_or(Underivable::Recipient)?;
    Ok(between(
        release, sender, recipient, directory, register, thresholds,
    ))
}

fn between(
    release: &Release<'_>,
    sender: &Participant,
    recipient: &Participant,
    directory: &View<'_>,
    register: &Register,
    thresholds: &Thresholds,
) -> Derived {
    let message = release.message;
    let now = directory.now();
    let label = label::of(message);
    let content = message::of(message, sender);
    let ends = parties::of(sender, recipient, now);
    let way = channel::of(recipient, release.channel, now);
    let origin = origin::of(release, sender);
    let mou = register.covering(&crossing(sender, recipient, message), now);
    let review_flags = flags::of(message, sender, recipient, directory, thresholds);
    let facts = Facts {
        id: fact_id(message.id, &recipient.id),
        label_state: message.label_state,
        classification: label.level,
        caveats: label.caveats,
        releasable_to: label.releasable_to,
        tlp: label.tlp,
        handling_codes: label.handling,
        personal_data: content.personal_data,
        purpose: content.purpose,
        sender_community: sender.community,
        recipient_community: recipient.community,
        sender_kind: sender.kind,
        recipient_kind: recipient.kind,
        recipient_country: recipient.country,
        recipient_clearance: ends.clearance,
        channel_accreditation: way.accreditation,
        crypto_approval: way.crypto_approval,
        mou_ceiling: mou.ceiling,
        channel_public: way.public,
        holder_is_originator: origin.holder_is_originator,
        consent: release.consent,
        addressed: origin.addressed,
        relation: ends.relation,
        mou: mou.state,
        external_agreement: recipient.external_agreement,
        article_25_basis: recipient.article_25_basis,
        review_flags,
    };
    let national = message.label.national.is_some();
    Derived {
        facts,
        label: message.label.clone(),
        mou,
        channel: way.channel,
        obligations: national
            .then_some(Obligation::NationalMarkingBeside)
            .into_iter()
            .collect(),
        epoch: directory.epoch(),
    }
}
