//! Who may open a seal.

use chancery_message::{BodyId, MessageId, Timestamp};
use chancery_policy::permit::{ReadPermit, ReleasePermit};

pub(crate) mod closed {
    /// Only this crate says what opens a seal.
    pub trait Closed {}
}

/// A permit that opens the seal of one message: a `ReleasePermit` (delivery to
/// one recipient) or a `ReadPermit` (an officer's reading), both made by
/// `chancery_policy` alone.
///
/// It opens its message until its deadline; what is being opened by then may
/// be read to its end.
pub trait OpeningPermit: closed::Closed {
    /// The message that it is for.
    fn message(&self) -> MessageId;

    /// True until its deadline.
    fn holds_at(&self, now: Timestamp) -> bool;
}

impl closed::Closed for ReleasePermit {}

impl OpeningPermit for ReleasePermit {
    fn message(&self) -> MessageId {
        Self::message(self)
    }

    fn holds_at(&self, now: Timestamp) -> bool {
        self.check(Self::message(self), self.recipient(), now)
            .is_ok()
    }
}

impl closed::Closed for ReadPermit {}

impl OpeningPermit for ReadPermit {
    fn message(&self) -> MessageId {
        Self::message(self)
    }

    fn holds_at(&self, now: Timestamp) -> bool {
        self.check(Self::message(self), now).is_ok()
    }
}

/// Opens one body for the process that sealed it a moment ago, before it
/// belongs to a message. Comes out of [`crate::BodySealer::finish`] alone,
/// cannot be copied or stored, and is gone with a restart.
///
/// ```compile_fail
/// fn copied(permit: &chancery_seal::IntakePermit) -> chancery_seal::IntakePermit {
///     permit.clone()
/// }
/// ```
/// ```compile_fail
/// fn forged(body: chancery_message::BodyId) -> chancery_seal::IntakePermit {
///     chancery_seal::IntakePermit { body }
/// }
/// ```
/// ```compile_fail
/// struct Mine(chancery_message::MessageId);
/// impl chancery_seal::OpeningPermit for Mine {
///     fn message(&self) -> chancery_message::MessageId {
///         self.0
///     }
///     fn holds_at(&self, _: chancery_message::Timestamp) -> bool {
///         true
///     }
/// }
/// ```
#[derive(Debug)]
pub struct IntakePermit {
    body: BodyId,
}

impl IntakePermit {
    pub(crate) const fn new(body: BodyId) -> Self {
        Self { body }
    }

    /// The body that it is for.
    #[must_use]
    pub const fn body(&self) -> BodyId {
        self.body
    }
}
