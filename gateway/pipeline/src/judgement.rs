//! The answer about one release, with everything that is recorded of it.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{Channel, MessageId, MouId, ParticipantId, Timestamp};
use chancery_policy::decision;
use chancery_policy::decision::Decision;
use chancery_policy::derive::Derived;
use chancery_policy::permit::ReleasePermit;
use chancery_policy::release::permit;
use chancery_policy::review::{Case, Closed, Waits};

use crate::documents::DeliveryDocument;
use crate::gateway::StageError;
use crate::outcome::{Refusal, RefusalKind, Verdict};

/// The answer, with everything that is recorded of it.
#[derive(Debug)]
pub struct Judgement {
    /// Permit, review or deny.
    pub verdict: Verdict,
    /// The gates that spoke.
    pub gates: Vec<String>,
    /// What goes with a release, in words.
    pub obligations: Vec<String>,
    /// The facts, canonical JSON; empty where none could be derived.
    pub facts: String,
    /// Hash of the policy set.
    pub policy: [u8; 32],
    /// The agreement cited.
    pub mou: Option<MouId>,
    /// The articles that the record cites, each with its agreement.
    pub articles: Vec<String>,
    /// One sentence for the sender.
    pub reason: String,
    /// What would help.
    pub hints: Vec<String>,
    /// What must be raised as an alarm.
    pub alarms: Vec<String>,
    /// By which channel it goes.
    pub channel: Channel,
    /// The case, where officers or the originator must speak.
    pub case: Option<Case>,
    pub(crate) decision: Decision,
    pub(crate) derived: Option<Derived>,
}

pub(crate) fn obligations(decision: &Decision, derived: Option<&Derived>) -> Vec<String> {
    let mut all: Vec<decision::Obligation> = decision.obligations().to_vec();
    if decision.verdict() != decision::Verdict::Deny {
        all.extend(
            derived
                .map(|derived| derived.obligations.clone())
                .unwrap_or_default(),
        );
    }
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|one| one.text().to_owned()).collect()
}

pub(crate) const fn verdict(verdict: decision::Verdict) -> Verdict {
    match verdict {
        decision::Verdict::Permit => Verdict::Permit,
        decision::Verdict::Review => Verdict::Review,
        decision::Verdict::Deny => Verdict::Deny,
    }
}

// === impl Judgement ===

impl Judgement {
    /// The part of it that is kept with the delivery.
    #[must_use]
    pub fn document(&self, epoch: u64) -> DeliveryDocument {
        DeliveryDocument {
            verdict: self.verdict,
            gates: self.gates.clone(),
            obligations: self.obligations.clone(),
            facts: self.facts.clone(),
            policy: self.policy,
            mou: self.mou.clone(),
            epoch,
            reason: self.reason.clone(),
            case: None,
            opened_at: None,
            ended_at: None,
            reminded_at: None,
            overdue_at: None,
            since: Timestamp::default(),
        }
    }

    /// What must be raised as alarms, each an event of its own, and told in the
    /// node's log at once: something that cannot happen while code and rules are sound.
    pub(crate) fn alarm_events(
        &self,
        stage: &'static str,
        now: Timestamp,
    ) -> impl Iterator<Item = Event> {
        self.alarms.iter().map(move |alarm| {
            tracing::error!(alarm, stage, "ALARM: a release was refused with G00");
            Event::new(EventKind::AlarmRaised, now, Actor::System)
                .detail(Key::Alarm, alarm.as_str())
                .detail(Key::Stage, stage)
        })
    }

    /// True if it goes by way of the central registry.
    #[must_use]
    pub fn goes_by_registry(&self) -> bool {
        self.decision
            .obligations()
            .contains(&decision::Obligation::ByCentralRegistry)
    }

    /// How many officers must approve; none where votes do not close it.
    #[must_use]
    pub fn quorum(&self) -> Option<usize> {
        match self.case.as_ref()?.waits_for() {
            Waits::Votes(needed) => Some(needed),
            Waits::Label | Waits::Consent => None,
        }
    }

    /// The right to open the message for this recipient. `closed` is the proof
    /// that officers approved exactly this.
    ///
    /// # Errors
    /// [`RefusalKind::Denied`] where there is no such right.
    pub fn permit(
        &self,
        message: MessageId,
        recipient: &ParticipantId,
        closed: Option<&Closed>,
        now: Timestamp,
    ) -> Result<ReleasePermit, StageError> {
        let denied = || Refusal::new(RefusalKind::Denied, "the rules do not allow this release");
        if self.verdict == Verdict::Deny {
            return Err(denied().into());
        }
        let derived = self.derived.as_ref().ok_or_else(denied)?;
        permit(&self.decision, derived, message, recipient, closed, now)
            .map_err(|_| denied().into())
    }
}
