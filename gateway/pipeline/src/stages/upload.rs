//! Attachments that come as streams before the message that refers to them:
//! sealed segment by segment under the intake's key, never parsed, never whole
//! in memory.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_message::{BodyId, ParticipantId, PeerEvidence};
use chancery_seal::{BodySealer, SealedSegment};

use crate::gateway::{Gateway, StageError};
use crate::outcome::{Outcome, Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::{BodyRow, BodyState, SegmentRow};

/// Segments that go into one commit.
const SEGMENTS_PER_COMMIT: usize = 16;

/// A stream that is being taken in.
pub struct Upload<'g> {
    gateway: &'g Gateway,
    owner: ParticipantId,
    sealer: BodySealer,
    row: BodyRow,
    waiting: Vec<Write>,
    size: u64,
}

impl std::fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({}, {} bytes)", self.row.id, self.size)
    }
}

impl<'g> Upload<'g> {
    /// Begins.
    ///
    /// # Errors
    /// [`RefusalKind::TooLarge`] where the peer says that it will be; others
    /// when keys or ledger fail.
    pub fn begin(
        gateway: &'g Gateway,
        owner: &ParticipantId,
        declared: Option<u64>,
    ) -> Result<Self, StageError> {
        if declared.is_some_and(|size| size > gateway.node.max_attachment) {
            return Err(too_large(gateway).into());
        }
        let now = gateway.now();
        let id = BodyId::mint(now, gateway.entropy.as_ref())?;
        let sealer = BodySealer::begin(gateway.keys.as_ref(), &KekId::Intake, id)?;
        let mut row = BodyRow {
            id,
            version: 1,
            state: BodyState::Open,
            owner: Some(owner.clone()),
            message: None,
            created_at: now,
            expires_at: now.after(gateway.node.upload_lifetime),
            size: 0,
            segments: 0,
            document: Vec::new(),
            mac: [0; 32],
        };
        row.mac = crate::rowmac::body(gateway, &row);
        Ok(Self {
            gateway,
            owner: owner.clone(),
            sealer,
            waiting: vec![Write::InsertBody(Box::new(row.clone()))],
            row,
            size: 0,
        })
    }

    /// Takes bytes.
    ///
    /// # Errors
    /// [`RefusalKind::TooLarge`]; others when the ledger fails. What was stored
    /// so far is forgotten when it expires, or by [`Upload::forget`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.size = self
            .size
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.size > self.gateway.node.max_attachment {
            return Err(too_large(self.gateway).into());
        }
        for segment in self.sealer.push(bytes)? {
            self.waiting.push(segment_write(self.row.id, segment));
        }
        if self.waiting.len() >= SEGMENTS_PER_COMMIT {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends: the attachment is whole and waits to be referred to.
    ///
    /// # Errors
    /// As [`Upload::push`].
    pub fn finish(self, peer: &PeerEvidence) -> Result<Outcome, StageError> {
        let Self {
            gateway,
            owner,
            sealer,
            row,
            mut waiting,
            ..
        } = self;
        let finished = sealer.finish()?;
        waiting.push(segment_write(row.id, finished.last));
        let mut complete = BodyRow {
            version: 2,
            state: BodyState::Complete,
            size: finished.facts.size,
            segments: finished.facts.segments(),
            document: finished.body.encode()?,
            ..row
        };
        complete.mac = crate::rowmac::body(gateway, &complete);
        let (id, expires_at) = (complete.id, complete.expires_at);
        waiting.push(Write::UpdateBody(Box::new(complete)));
        let event = Event::new(
            EventKind::AttachmentUploaded,
            gateway.now(),
            Actor::Participant(owner.clone()),
        )
        .detail(Key::Body, id.to_string())
        .detail(
            Key::Bytes,
            i64::try_from(finished.facts.size).unwrap_or(i64::MAX),
        )
        .detail(Key::Channel, peer.channel.name())
        .detail(Key::Participant, owner.as_str());
        gateway.ledger.commit(Step {
            guards: Vec::new(),
            writes: waiting,
            events: vec![event],
        })?;
        gateway.set_uploaded_over(id, peer.transport.clone());
        Ok(Outcome::Uploaded {
            id: id.to_string(),
            sha256: finished.facts.sha256,
            size: finished.facts.size,
            expires_at,
        })
    }

    /// Forgets what was stored of a stream that did not end well.
    ///
    /// # Errors
    /// [`StageError`] when the ledger fails; it expires then.
    pub fn forget(self) -> Result<(), StageError> {
        self.gateway.ledger.commit(Step {
            writes: vec![Write::DeleteBody(self.row.id)],
            ..Step::default()
        })?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StageError> {
        self.gateway.ledger.commit(Step {
            writes: std::mem::take(&mut self.waiting),
            ..Step::default()
        })?;
        Ok(())
    }
}

fn segment_write(body: BodyId, segment: SealedSegment) -> Write {
    Write::InsertSegment(SegmentRow {
        body,
        index: segment.index,
        sealed: segment.bytes,
    })
}

fn too_large(gateway: &Gateway) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!(
            "an attachment may have up to {} bytes",
            gateway.node.max_attachment
        ),
    )
}

/// Forgets uploads that no message took in time.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn expire(gateway: &Gateway) -> Result<u32, StageError> {
    let now = gateway.now();
    let mut forgotten = 0;
    for id in gateway.ledger.expired_bodies(now, 100)? {
        let event = Event::new(EventKind::AttachmentExpired, now, Actor::System)
            .detail(Key::Body, id.to_string());
        gateway.ledger.commit(Step {
            guards: Vec::new(),
            writes: vec![Write::DeleteBody(id)],
            events: vec![event],
        })?;
        forgotten += 1;
    }
    Ok(forgotten)
}
