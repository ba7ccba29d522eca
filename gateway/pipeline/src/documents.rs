//! What the stages keep of a message and of its deliveries: the `document`
//! blobs of the ledger's rows. Metadata for decisions only; everything that a
//! sender wrote in words is sealed ([`SealedHeader`]).

use chancery_label::{Label, Level};
use chancery_message::{
    BodyId, CaseId, Evaluation, MessageId, MouId, ParticipantId, Purpose, RecipientRole,
    SienaFields, Text, Timestamp,
};
use chancery_policy::explain::Part;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::outcome::Verdict;

/// A document of the ledger that cannot be read: damage, or a newer version's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored {0} cannot be read")]
pub struct UnreadableDocument(pub &'static str);

/// A document with its name, for errors.
pub trait Document: Serialize + DeserializeOwned {
    /// What it is, in words.
    const WHAT: &'static str;

    /// The stored bytes.
    ///
    /// # Errors
    /// When a value cannot be encoded (none of ours cannot).
    fn encode(&self) -> Result<Vec<u8>, UnreadableDocument> {
        postcard::to_stdvec(self).map_err(|_| UnreadableDocument(Self::WHAT))
    }

    /// The document of stored bytes, all of them.
    ///
    /// # Errors
    /// When the bytes are not one document.
    fn decode(bytes: &[u8]) -> Result<Self, UnreadableDocument> {
        match postcard::take_from_bytes(bytes) {
            Ok((document, [])) => Ok(document),
            _ => Err(UnreadableDocument(Self::WHAT)),
        }
    }
}

/// Whether a message has a label, and of what worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LabelStanding {
    /// One that could be read and that the content does not contradict.
    Valid,
    /// None: quarantine.
    Missing,
    /// One that cannot be read.
    Invalid,
    /// The content's own markings are above it, or fit no common recipient.
    Conflict,
}

/// Under whose authority the information was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Originator {
    /// The authenticated sender itself.
    Sender,
    /// Another participant of the directory.
    Other(ParticipantId),
    /// Somebody who is not in the directory.
    Unknown,
}

/// A message that this one is derived from or passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The message, where the gateway holds it.
    pub message: Option<MessageId>,
    /// Its label, where it is known.
    pub label: Option<Label>,
    /// Whose information it is, however often it was passed on.
    pub originator: Option<ParticipantId>,
}

/// What a message's decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageDocument {
    /// The effective label; none in quarantine.
    pub label: Option<Label>,
    /// The label as the sender asserted it: a drop below a source shows here.
    pub asserted: Option<Label>,
    /// Its worth.
    pub standing: LabelStanding,
    /// The originator.
    pub originator: Originator,
    /// Whom the originator named, in order (of a forward: of the original).
    pub addressed: Vec<ParticipantId>,
    /// To whom this message goes, in order.
    pub recipients: Vec<(ParticipantId, RecipientRole)>,
    /// The central registry by way of which it goes to those outside the Union.
    pub by_registry: Option<ParticipantId>,
    /// For what.
    pub purpose: Purpose,
    /// Whether personal data is in it.
    pub personal_data: bool,
    /// Source and information codes.
    pub evaluation: Option<Evaluation>,
    /// What it is derived from.
    pub derived_from: Vec<Source>,
    /// The message that this one passes on.
    pub forward_of: Option<MessageId>,
    /// The message that this one answers.
    pub in_reply_to: Option<MessageId>,
    /// How many portions (marked paragraphs, labelled attachments) are of the
    /// level that most of them have.
    pub portions: u32,
    /// The level of the text, then of each attachment; empty in quarantine.
    pub levels: Vec<Level>,
    /// The original as received, sealed; none for a forward.
    pub original: Option<BodyId>,
    /// Bytes of all attachments.
    pub attachment_bytes: u64,
    /// Why it is in quarantine.
    pub quarantine: Option<String>,
}

/// A decision as recorded, and what followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryDocument {
    /// What came out.
    pub verdict: Verdict,
    /// The gates that spoke; empty for a permit.
    pub gates: Vec<String>,
    /// What goes with the release, in words.
    pub obligations: Vec<String>,
    /// The facts, canonical JSON, so that the decision can be run again.
    pub facts: String,
    /// Hash of the policy set.
    pub policy: [u8; 32],
    /// The agreement under which it was decided.
    pub mou: Option<MouId>,
    /// The epoch of directory, agreements and policy.
    pub epoch: u64,
    /// One sentence for the sender.
    pub reason: String,
    /// The case, while held or after it.
    pub case: Option<CaseId>,
    /// When it was opened first.
    pub opened_at: Option<Timestamp>,
    /// When it was acknowledged, or ended.
    pub ended_at: Option<Timestamp>,
    /// When its recipient was reminded of the receipt.
    pub reminded_at: Option<Timestamp>,
    /// When the receipt was found overdue.
    pub overdue_at: Option<Timestamp>,
    /// When its state changed last.
    pub since: Timestamp,
}

/// Everything that the sender wrote in words: sealed under the content key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedHeader {
    /// What it is about.
    pub subject: Text,
    /// The text.
    pub body: Text,
    /// The sender's reference.
    pub reference: Option<Text>,
    /// The reference of what it answers, as the sender wrote it.
    pub in_reply_to: Option<Text>,
    /// References of what it is derived from, as the sender wrote them.
    pub derived_from: Vec<Text>,
    /// What only the SIENA-style channel has.
    pub siena: Option<SienaFields>,
    /// The attachments, in order.
    pub attachments: Vec<AttachmentHeader>,
}

/// An attachment, apart from its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentHeader {
    /// The sealed stream that holds the bytes.
    pub body: BodyId,
    /// Its name.
    pub name: Text,
    /// Its media type.
    pub media_type: String,
    /// Its own label: as asserted, raised by what stands in it. None where the
    /// message's label is all that was said.
    pub label: Option<Label>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

impl MessageDocument {
    /// Its parts by name and level: what could be left out.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let name = |at: usize| match at {
            0 => "the text".to_owned(),
            at => format!("attachment {at}"),
        };
        let levels = self.levels.iter().enumerate();
        levels
            .map(|(at, level)| Part {
                name: name(at),
                level: *level,
            })
            .collect()
    }
}

impl Document for MessageDocument {
    const WHAT: &'static str = "message document";
}

impl MessageDocument {
    /// Whose information it is; none where nobody of the directory is known to be.
    #[must_use]
    pub fn originator_is(&self, sender: Option<&ParticipantId>) -> Option<ParticipantId> {
        match &self.originator {
            Originator::Sender => sender.cloned(),
            Originator::Other(id) => Some(id.clone()),
            Originator::Unknown => None,
        }
    }

    /// True if it brings its originator nothing but what is its own or the
    /// sender's, with no label below theirs: there is nobody else to be asked.
    /// What a sender says of the originator does not count, only what is held here.
    #[must_use]
    pub fn returns_to(&self, recipient: &ParticipantId, sender: &ParticipantId) -> bool {
        let known = |source: &Source| {
            let whose = source.originator.as_ref();
            whose.is_some_and(|one| one == recipient || one == sender)
        };
        let kept = |source: &Source| match (&source.label, &self.asserted) {
            (Some(label), Some(asserted)) => asserted.dominates(label),
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.originator == Originator::Other(recipient.clone())
            && !self.derived_from.is_empty()
            && self.derived_from.iter().all(|one| known(one) && kept(one))
    }
}

impl Document for DeliveryDocument {
    const WHAT: &'static str = "delivery document";
}

impl Document for SealedHeader {
    const WHAT: &'static str = "sealed header";
}
