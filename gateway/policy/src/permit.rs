//! Permits: the only keys to plaintext and to delivery.
//!
//! A permit has private fields, is not `Clone` and not serializable: it exists
//! because [`crate::release`] made it, for one message and one recipient or
//! officer, and it is used up where it is used.

use std::time::Duration;

use chancery_message::{MessageId, OfficerId, ParticipantId, Timestamp};

use crate::decision::Obligation;
use crate::release::Refusal;

/// How long a permit holds.
pub const PERMIT_LIFE: Duration = Duration::from_secs(30);

/// The right to open one message and give it to one recipient, now.
///
/// ```compile_fail
/// fn twice(permit: &chancery_policy::permit::ReleasePermit) -> chancery_policy::permit::ReleasePermit {
///     permit.clone()
/// }
/// ```
/// ```compile_fail
/// fn stored(permit: &chancery_policy::permit::ReleasePermit) -> String {
///     serde_json::to_string(permit).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct ReleasePermit {
    pub(crate) message: MessageId,
    pub(crate) recipient: ParticipantId,
    pub(crate) epoch: u64,
    pub(crate) deadline: Timestamp,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) policy: [u8; 32],
    pub(crate) reviewed: bool,
}

/// The right of one officer to read one message, now.
#[derive(Debug)]
pub struct ReadPermit {
    pub(crate) message: MessageId,
    pub(crate) officer: OfficerId,
    pub(crate) reason: String,
    pub(crate) deadline: Timestamp,
}

// === impl ReleasePermit ===

impl ReleasePermit {
    /// Refuses unless it is for this message and recipient and still holds.
    ///
    /// # Errors
    /// [`Refusal::OtherRelease`] or [`Refusal::Expired`].
    pub fn check(
        &self,
        message: MessageId,
        recipient: &ParticipantId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.message != message || self.recipient != *recipient {
            return Err(Refusal::OtherRelease);
        }
        if now > self.deadline {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// Refuses unless it is of this epoch.
    ///
    /// # Errors
    /// [`Refusal::OldEpoch`].
    pub const fn check_epoch(&self, epoch: u64) -> Result<(), Refusal> {
        if self.epoch == epoch {
            Ok(())
        } else {
            Err(Refusal::OldEpoch)
        }
    }

    /// The message that it opens.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.message
    }

    /// The recipient that it lets it go to.
    #[must_use]
    pub const fn recipient(&self) -> &ParticipantId {
        &self.recipient
    }

    /// The epoch at which it was decided.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The moment after which it holds no more.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// What goes with the release.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// The hash of the policy set that decided.
    #[must_use]
    pub const fn policy_hash(&self) -> [u8; 32] {
        self.policy
    }

    /// True where officers' votes allowed it.
    #[must_use]
    pub const fn was_reviewed(&self) -> bool {
        self.reviewed
    }
}

// === impl ReadPermit ===

impl ReadPermit {
    /// Refuses unless it is for this message and still holds.
    ///
    /// # Errors
    /// [`Refusal::OtherRelease`] or [`Refusal::Expired`].
    pub fn check(&self, message: MessageId, now: Timestamp) -> Result<(), Refusal> {
        if self.message != message {
            return Err(Refusal::OtherRelease);
        }
        if now > self.deadline {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// The message that may be read.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.message
    }

    /// Who may read it.
    #[must_use]
    pub const fn officer(&self) -> &OfficerId {
        &self.officer
    }

    /// Why, as the officer says.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
