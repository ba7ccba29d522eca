//! Originals as doors hand them over: sealed before anybody reads them.

use chancery_audit::{Event, EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_message::{BodyId, Content, Inbound, MessageId, Timestamp, TransportEvidence};
use chancery_seal::{BodyFacts, BodySealer, IntakePermit, SealedBody, SealedSegment};

use crate::gateway::{Gateway, StageError};
use crate::ports::Write;
use crate::rows::BodyRow;
use crate::vault::body_writes;

/// An original as a door handed it over: sealed under the intake's key, not
/// yet durable. It becomes durable with the message, in one transaction.
#[derive(Debug)]
pub struct HeldOriginal {
    body: SealedBody,
    segments: Vec<SealedSegment>,
    facts: BodyFacts,
    permit: IntakePermit,
    since: Timestamp,
}

/// Where a message's original is.
#[derive(Debug)]
pub enum Original<'a> {
    /// In memory, sealed, not yet durable.
    Held(&'a HeldOriginal),
    /// In the ledger, under the intake's key.
    Stored(BodyRow),
}

impl Original<'_> {
    pub(crate) const fn id(&self) -> BodyId {
        match self {
            Self::Held(held) => held.id(),
            Self::Stored(row) => row.id,
        }
    }

    /// What a manifest binds, and the rows under the message's KEK.
    pub(crate) fn bind(
        &self,
        gateway: &Gateway,
        message: MessageId,
        kek: &KekId,
    ) -> Result<(BodyFacts, Vec<Write>), StageError> {
        match self {
            Self::Held(held) => Ok((held.facts(), held.writes(gateway, message, kek)?)),
            Self::Stored(row) => {
                crate::rowmac::check_body(gateway, row)?;
                let sealed = SealedBody::decode(&row.document)?;
                let facts = sealed.facts(gateway.keys.as_ref())?;
                let mut bound = BodyRow {
                    version: row.version + 1,
                    document: sealed.rewrapped(gateway.keys.as_ref(), kek)?.encode()?,
                    mac: [0; 32],
                    ..row.clone()
                };
                bound.mac = crate::rowmac::body(gateway, &bound);
                Ok((facts, vec![Write::UpdateBody(Box::new(bound))]))
            }
        }
    }
}

/// Seals bytes as they are held, before anybody read them.
///
/// # Errors
/// [`StageError`] when keys or randomness fail.
pub fn hold(gateway: &Gateway, raw: &[u8]) -> Result<HeldOriginal, StageError> {
    let now = gateway.now();
    let id = BodyId::mint(now, gateway.entropy.as_ref())?;
    let mut sealer = BodySealer::begin(gateway.keys.as_ref(), &KekId::Intake, id)?;
    let mut segments = sealer.push(raw)?;
    let finished = sealer.finish()?;
    segments.push(finished.last);
    Ok(HeldOriginal {
        body: finished.body,
        segments,
        facts: finished.facts,
        permit: finished.permit,
        since: now,
    })
}

// === impl HeldOriginal ===

impl HeldOriginal {
    /// The id under which it will be stored.
    #[must_use]
    pub const fn id(&self) -> BodyId {
        self.body.id()
    }

    /// Bytes of plaintext.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.facts.size
    }

    /// Since when it is held.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// The plaintext again, for the process that sealed it: a reader died on it
    /// and core was asked to try another. Not used for delivery.
    ///
    /// # Errors
    /// [`StageError::Corrupt`].
    pub fn reopen(&self, gateway: &Gateway) -> Result<Content, StageError> {
        let mut opener = self.body.open_own(gateway.keys.as_ref(), &self.permit)?;
        let mut all = Vec::new();
        for segment in &self.segments {
            all.extend_from_slice(opener.open(segment.bytes.clone())?.bytes.expose());
        }
        opener.finish()?;
        Ok(Content::new(all))
    }

    /// The event of station 1.
    pub fn received_event(&self, inbound: &Inbound, now: Timestamp) -> Event {
        let event = Event::new(
            EventKind::MessageReceived,
            now,
            chancery_audit::Actor::process(&format!("door-{}", inbound.peer.channel)),
        )
        .detail(Key::Channel, inbound.peer.channel.name())
        .detail(Key::Address, inbound.peer.address.as_str())
        .detail(Key::Body, self.id().to_string())
        .detail(
            Key::Bytes,
            i64::try_from(self.facts.size).unwrap_or(i64::MAX),
        );
        match &inbound.peer.transport {
            TransportEvidence::MutualTls { certificate, group } => event
                .detail(Key::Certificate, hex::encode(certificate.fingerprint))
                .detail(Key::Group, group.as_str()),
            TransportEvidence::ServerTls { group } => event.detail(Key::Group, group.as_str()),
            TransportEvidence::Local => event,
        }
    }

    /// Its rows, bound to a message, under that KEK.
    ///
    /// # Errors
    /// [`StageError`] when keys fail.
    pub fn writes(
        &self,
        gateway: &Gateway,
        message: MessageId,
        kek: &KekId,
    ) -> Result<Vec<Write>, StageError> {
        let body = if *kek == KekId::Intake {
            self.body.clone()
        } else {
            self.body.rewrapped(gateway.keys.as_ref(), kek)?
        };
        body_writes(
            gateway,
            &body,
            &self.facts,
            &self.segments,
            message,
            None,
            self.since,
        )
    }

    /// What a manifest binds.
    #[must_use]
    pub fn facts(&self) -> BodyFacts {
        self.facts
    }
}
