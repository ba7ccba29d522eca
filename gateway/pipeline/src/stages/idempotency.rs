//! The same request twice is one message: by the peer's idempotency key, or by
//! the sender's own id of the message (Message-ID, SIENA-style id).

use std::time::Duration;

use chancery_message::{Inbound, MessageId, ParticipantId, Submission, Timestamp};

use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::IdempotencyRow;
use crate::rules::Sender;

/// How long a peer's own key is remembered.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long a sender's own message id is remembered: longer than any replay is worth.
const ID_LIFETIME: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Forgets what has expired, so that a key may be used anew.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn forget(gateway: &Gateway) -> Result<(), StageError> {
    gateway.ledger.commit(Step {
        writes: vec![Write::ForgetIdempotency(gateway.now())],
        ..Step::default()
    })?;
    Ok(())
}

/// What makes a request the same as one before.
#[derive(Debug)]
pub(crate) struct Request {
    participant: ParticipantId,
    /// Keys with their lifetimes and with what a reuse for something else is
    /// called; after a rotation of the index key each under every generation, so
    /// that no two requests miss each other.
    keys: Vec<([u8; 32], Duration, RefusalKind)>,
    /// What was asked, under the newest generation first.
    digests: Vec<[u8; 32]>,
}

impl Request {
    pub(crate) fn of(
        gateway: &Gateway,
        inbound: &Inbound,
        submission: &Submission,
        sender: &Sender,
    ) -> Self {
        let who = sender.id.as_str().as_bytes();
        let mut keys = Vec::new();
        if let Some(key) = &inbound.idempotency_key {
            let digests = gateway
                .index_key
                .digests(&[b"idempotency-key", who, key.as_bytes()]);
            keys.extend(
                digests
                    .into_iter()
                    .map(|digest| (digest, KEY_LIFETIME, RefusalKind::KeyReused)),
            );
        }
        if let Some(id) = &submission.external_id {
            let channel = inbound.peer.channel.name().as_bytes();
            let digests =
                gateway
                    .index_key
                    .digests(&[b"external-id", channel, who, id.expose().as_bytes()]);
            keys.extend(
                digests
                    .into_iter()
                    .map(|digest| (digest, ID_LIFETIME, RefusalKind::Replayed)),
            );
        }
        // What was asked, apart from how it was encrypted and signed on the way.
        let meaning = Submission {
            signature: chancery_message::SignatureEvidence::Absent,
            protection: None,
            ..submission.clone()
        };
        let bytes = zeroize::Zeroizing::new(postcard::to_stdvec(&meaning).unwrap_or_default());
        Self {
            participant: sender.id.clone(),
            keys,
            digests: gateway.index_key.digests(&[b"request", who, &bytes]),
        }
    }

    /// The message that the same request made before.
    ///
    /// # Errors
    /// [`StageError::Refused`] where a key was used for another request.
    pub(crate) fn repeated(&self, gateway: &Gateway) -> Result<Option<MessageId>, StageError> {
        let now = gateway.now();
        for (key, _, reused) in &self.keys {
            let Some(row) = gateway.ledger.idempotency(&self.participant, key)? else {
                continue;
            };
            if row.expires_at < now {
                continue;
            }
            if !self.digests.contains(&row.request) {
                let words = match reused {
                    RefusalKind::KeyReused => "this idempotency key was used for another request",
                    _ => {
                        "this message id or this signed part came before, with other content or for other recipients: a replay"
                    }
                };
                return Err(Refusal::new(*reused, words).into());
            }
            return Ok(Some(row.message));
        }
        Ok(None)
    }

    /// The rows that remember it.
    pub(crate) fn writes(&self, message: MessageId, now: Timestamp) -> impl Iterator<Item = Write> {
        self.keys.iter().map(move |(key, lifetime, _)| {
            Write::InsertIdempotency(Box::new(IdempotencyRow {
                participant: self.participant.clone(),
                key: *key,
                request: self.digests.first().copied().unwrap_or_default(),
                message,
                expires_at: now.after(*lifetime),
            }))
        })
    }
}
