//! Station 5 in rows: what is sealed becomes what the ledger stores, and back
//! behind a permit.

use chancery_hsm_api::KekId;
use chancery_label::Label;
use chancery_message::{
    AttachmentContent, BodyId, Content, MessageId, ParticipantId, Submission, Timestamp,
};
use chancery_seal::{
    BodyFacts, BodySealer, MessageSealer, OpenError, OpenMessage, OpeningPermit, PART_HEADER,
    SealError, SealedBody, SealedMessage, SealedSegment,
};

use crate::documents::{AttachmentHeader, Document, SealedHeader};
use crate::gateway::{Gateway, StageError};
use crate::held::Original;
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::Write;
use crate::rows::{BodyRow, BodyState, Holder, MessageRow, SegmentRow};
use crate::stages::forward::Forwarded;
use crate::stages::protection;

impl From<SealError> for StageError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Key(error) => Self::Keys(error),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

impl From<OpenError> for StageError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Key(error) if error.kind.is_transient() => Self::Keys(error),
            OpenError::Expired => Refusal::new(RefusalKind::NotNow, error.to_string()).into(),
            other => Self::Corrupt(other.to_string()),
        }
    }
}

/// What a message is sealed with.
#[derive(Debug)]
pub struct Sealing<'a> {
    /// The message.
    pub message: MessageId,
    /// Its label.
    pub label: &'a Label,
    /// The label of each of its own attachments, in order.
    pub attachments: &'a [Option<Label>],
    /// The KEK of its level and compartment.
    pub kek: KekId,
    /// The sender.
    pub owner: Option<&'a ParticipantId>,
    /// Now.
    pub now: Timestamp,
}

/// A sealed message, ready for the ledger.
#[derive(Debug)]
pub struct Sealed {
    /// The sealed original.
    pub original: BodyId,
    /// For the message's row.
    pub blob: Vec<u8>,
    /// Bodies and segments.
    pub writes: Vec<Write>,
    /// Digest over what was sealed.
    pub root: [u8; 32],
    /// Bytes of all attachments.
    pub attachment_bytes: u64,
}

/// Seals a submission's content under its label's key: header, inline
/// attachments, uploads, original; all bound by one manifest.
///
/// # Errors
/// [`StageError::Refused`] for an upload that is not the sender's or is gone;
/// others when keys or ledger fail.
pub fn seal(
    gateway: &Gateway,
    sealing: &Sealing<'_>,
    submission: &Submission,
    forwarded: Option<&Forwarded>,
    original: &Original<'_>,
) -> Result<Sealed, StageError> {
    let keys = gateway.keys.as_ref();
    let mut sealer =
        MessageSealer::begin(keys, &sealing.kek, sealing.message, Some(sealing.label))?;
    protection::wrapped(gateway, sealer.scheme(), sealing.label)?;
    let mut writes = Vec::new();
    let mut headers = Vec::new();

    let mut labels = sealing.attachments.iter().cloned();
    for attachment in &submission.attachments {
        let facts = match &attachment.content {
            AttachmentContent::Inline(bytes) => {
                let (facts, rows) = seal_inline(gateway, sealing, bytes)?;
                writes.extend(rows);
                facts
            }
            AttachmentContent::Uploaded(id) => {
                let (facts, row) = bind_upload(gateway, sealing, id)?;
                writes.push(row);
                facts
            }
        };
        headers.push(AttachmentHeader {
            body: facts.id,
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
            label: labels.next().flatten(),
            size: facts.size,
            sha256: facts.sha256,
        });
        sealer.bind(facts)?;
    }
    let mut header = SealedHeader {
        subject: submission.subject.clone(),
        body: submission.body.clone(),
        reference: submission.reference.clone(),
        in_reply_to: submission.in_reply_to.clone(),
        derived_from: submission.derived_from.clone(),
        siena: submission.siena.clone(),
        attachments: headers,
    };
    if let Some(forwarded) = forwarded {
        // What is passed on is sealed anew under this message's key.
        for (attachment, bytes) in forwarded.attachments(gateway)? {
            let (facts, rows) = seal_inline(gateway, sealing, &bytes)?;
            writes.extend(rows);
            header.attachments.push(AttachmentHeader {
                body: facts.id,
                name: attachment.name,
                media_type: attachment.media_type,
                label: attachment.label,
                size: facts.size,
                sha256: facts.sha256,
            });
            sealer.bind(facts)?;
        }
        forwarded.compose(&mut header);
    }
    let attachment_bytes = header.attachments.iter().map(|one| one.size).sum();
    sealer.part(PART_HEADER, &header.encode()?)?;
    let (facts, rows) = original.bind(gateway, sealing.message, &sealing.kek)?;
    sealer.bind(facts)?;
    writes.extend(rows);
    let blob = sealer.finish()?.encode()?;
    let root = digest(&blob);
    Ok(Sealed {
        original: original.id(),
        blob,
        writes,
        root,
        attachment_bytes,
    })
}

/// Seals one attachment under the message's KEK.
fn seal_inline(
    gateway: &Gateway,
    sealing: &Sealing<'_>,
    bytes: &Content,
) -> Result<(BodyFacts, Vec<Write>), StageError> {
    let id = BodyId::mint(sealing.now, gateway.entropy.as_ref())?;
    let mut sealer = BodySealer::begin(gateway.keys.as_ref(), &sealing.kek, id)?;
    let mut segments = sealer.push(bytes.expose())?;
    let finished = sealer.finish()?;
    segments.push(finished.last);
    let rows = body_writes(
        gateway,
        &finished.body,
        &finished.facts,
        &segments,
        sealing.message,
        sealing.owner,
        sealing.now,
    )?;
    Ok((finished.facts, rows))
}

/// Takes an upload into the message: rewrapped from the intake's key to that of the label.
fn bind_upload(
    gateway: &Gateway,
    sealing: &Sealing<'_>,
    id: &str,
) -> Result<(BodyFacts, Write), StageError> {
    // An upload of somebody else, one that is used up and one that never was get the same words.
    let unknown = || {
        Refusal::new(
            RefusalKind::Invalid,
            "an attachment id is not one of your uploads, or it has expired",
        )
    };
    let id: BodyId = id.parse().map_err(|_| unknown())?;
    let row = gateway.ledger.body(&id)?.ok_or_else(unknown)?;
    crate::rowmac::check_body(gateway, &row)?;
    if row.state != BodyState::Complete
        || row.owner.as_ref() != sealing.owner
        || row.expires_at < sealing.now
    {
        return Err(unknown().into());
    }
    let sealed = SealedBody::decode(&row.document)?;
    let facts = sealed.facts(gateway.keys.as_ref())?;
    let rewrapped = sealed.rewrapped(gateway.keys.as_ref(), &sealing.kek)?;
    let mut bound = BodyRow {
        version: row.version + 1,
        state: BodyState::Bound,
        message: Some(sealing.message),
        document: rewrapped.encode()?,
        mac: [0; 32],
        ..row
    };
    bound.mac = crate::rowmac::body(gateway, &bound);
    Ok((facts, Write::UpdateBody(Box::new(bound))))
}

pub(crate) fn body_writes(
    gateway: &Gateway,
    body: &SealedBody,
    facts: &BodyFacts,
    segments: &[SealedSegment],
    message: MessageId,
    owner: Option<&ParticipantId>,
    now: Timestamp,
) -> Result<Vec<Write>, StageError> {
    let mut row = BodyRow {
        id: body.id(),
        version: 1,
        state: BodyState::Bound,
        owner: owner.cloned(),
        message: Some(message),
        created_at: now,
        expires_at: now,
        size: facts.size,
        segments: u32::try_from(segments.len()).unwrap_or(u32::MAX),
        document: body.encode()?,
        mac: [0; 32],
    };
    row.mac = crate::rowmac::body(gateway, &row);
    let mut writes = vec![Write::InsertBody(Box::new(row))];
    writes.extend(segments.iter().map(|segment| {
        Write::InsertSegment(SegmentRow {
            body: body.id(),
            index: segment.index,
            sealed: segment.bytes.clone(),
        })
    }));
    Ok(writes)
}

/// A message, opened behind a permit.
#[derive(Debug)]
pub struct Opened<'p> {
    /// The content key's holder.
    pub message: OpenMessage<'p>,
    /// What the sender wrote.
    pub header: SealedHeader,
}

/// Opens a message's header.
///
/// # Errors
/// [`StageError::Corrupt`] where anything is not as it was sealed.
pub fn open<'p, P: OpeningPermit>(
    gateway: &Gateway,
    permit: &'p P,
    row: &MessageRow,
    label: Option<&Label>,
) -> Result<Opened<'p>, StageError> {
    let sealed = SealedMessage::decode(&row.sealed)?;
    let message = sealed.open(gateway.keys.as_ref(), permit, label, gateway.now())?;
    gateway.opened(Holder::Message(row.id), sealed.wrapped());
    let header = SealedHeader::decode(message.part(PART_HEADER)?.expose())?;
    Ok(Opened { message, header })
}

/// The KEK that a stored message is sealed under.
///
/// # Errors
/// [`StageError::Corrupt`] where the row is not as it was sealed.
pub fn kek_of(row: &MessageRow) -> Result<KekId, StageError> {
    Ok(SealedMessage::decode(&row.sealed)?.wrapped().kek.clone())
}

/// The whole of one attachment, in memory: for channels that carry it inside.
///
/// # Errors
/// As [`open`].
pub fn open_attachment(
    gateway: &Gateway,
    opened: &Opened<'_>,
    id: &BodyId,
) -> Result<Content, StageError> {
    let missing = || StageError::Corrupt("an attachment is gone".to_owned());
    let row = gateway.ledger.body(id)?.ok_or_else(missing)?;
    crate::rowmac::check_body(gateway, &row)?;
    let mut opener = opened
        .message
        .body(gateway.keys.as_ref(), &SealedBody::decode(&row.document)?)?;
    let mut all = Vec::with_capacity(usize::try_from(row.size).unwrap_or(0));
    for index in 0..opener.segments() {
        let segment = gateway.ledger.segment(id, index)?.ok_or_else(missing)?;
        all.extend_from_slice(opener.open(segment.sealed)?.bytes.expose());
    }
    opener.finish()?;
    Ok(Content::new(all))
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// One attachment, segment by segment; memory: one segment.
///
/// # Errors
/// As [`open`]; what was given so far is then not the whole.
pub fn stream_attachment(
    gateway: &Gateway,
    opened: &Opened<'_>,
    id: &BodyId,
    sink: &mut dyn FnMut(Content) -> bool,
) -> Result<(), StageError> {
    let missing = || StageError::Corrupt("an attachment is gone".to_owned());
    let row = gateway.ledger.body(id)?.ok_or_else(missing)?;
    crate::rowmac::check_body(gateway, &row)?;
    let mut opener = opened
        .message
        .body(gateway.keys.as_ref(), &SealedBody::decode(&row.document)?)?;
    for index in 0..opener.segments() {
        let segment = gateway.ledger.segment(id, index)?.ok_or_else(missing)?;
        if !sink(opener.open(segment.sealed)?.bytes) {
            return Ok(());
        }
    }
    opener.finish()?;
    Ok(())
}
