//! The rules in force, as one snapshot: directory, agreements, policy, epoch.
//! The one room of the pipeline that asks the policy crate.

use std::sync::Arc;

use chancery_label::Level;
use chancery_message::{Channel, MessageId, ParticipantId, Timestamp};
use chancery_policy::crypto::CryptoPolicy;
use chancery_policy::derive::{self, MessageMeta, Release, Thresholds};
use chancery_policy::directory::{Directory, Participant};
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Consent, LabelState};
use chancery_policy::mou::Register;
use chancery_policy::reason;
use chancery_policy::review::Case;

use crate::documents::{LabelStanding, MessageDocument, Originator};
use crate::judgement::{Judgement, obligations, verdict};
pub use crate::sender::{Acting, Sender};

use crate::outcome::{RecipientCard, Verdict};
use crate::ports::CertificateAlgorithms;

/// A snapshot of all rules.
#[derive(Debug)]
pub struct Rules {
    directory: Directory,
    register: Register,
    engine: Arc<Engine>,
    thresholds: Thresholds,
    certificates: Option<Arc<dyn CertificateAlgorithms>>,
}

/// What is asked: may this go to them, now?
#[derive(Debug)]
pub struct Question<'a> {
    /// The message.
    pub message: MessageId,
    /// What is known of it.
    pub document: &'a MessageDocument,
    /// The authenticated sender.
    pub sender: &'a ParticipantId,
    /// To whom.
    pub recipient: &'a ParticipantId,
    /// By which channel, where it is fixed already.
    pub channel: Option<Channel>,
    /// The originator's consent.
    pub consent: Consent,
    /// When.
    pub now: Timestamp,
}

// === impl Rules ===

impl Rules {
    /// Puts a snapshot together; the directory carries the epoch.
    #[must_use]
    pub const fn new(
        directory: Directory,
        register: Register,
        engine: Arc<Engine>,
        thresholds: Thresholds,
    ) -> Self {
        Self {
            directory,
            register,
            engine,
            thresholds,
            certificates: None,
        }
    }

    /// The same, with what reads partners' OpenPGP certificates.
    #[must_use]
    pub fn with_certificates(mut self, read: Arc<dyn CertificateAlgorithms>) -> Self {
        self.certificates = Some(read);
        self
    }

    /// The same, with what another snapshot reads certificates with.
    pub(crate) fn reading(mut self, like: &Self) -> Self {
        if self.certificates.is_none() {
            self.certificates.clone_from(&like.certificates);
        }
        self
    }

    /// What reads partners' certificates, where there is one.
    pub(crate) fn certificates(&self) -> Option<&dyn CertificateAlgorithms> {
        self.certificates.as_deref()
    }

    /// The cryptographic policy.
    #[must_use]
    pub fn crypto(&self) -> &CryptoPolicy {
        self.engine.crypto()
    }

    /// The epoch of the snapshot.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.directory.epoch()
    }

    /// The directory.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The agreements.
    #[must_use]
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be used again where the policy set stays.
    #[must_use]
    pub const fn shared_engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The participant in force behind a client certificate, if it may use that channel.
    #[must_use]
    pub fn by_certificate(
        &self,
        channel: Channel,
        fingerprint: &[u8; 32],
        now: Timestamp,
    ) -> Option<Arc<Sender>> {
        let (participant, person) = self.directory.at(now).acting(channel, fingerprint)?;
        let mut found = sender(participant)?;
        if let Some(person) = person {
            Arc::make_mut(&mut found).person = Some(Acting {
                id: person.id.clone(),
                clearance: person.clearance_at(now),
            });
        }
        Some(found)
    }

    /// The participant in force behind a mail address.
    #[must_use]
    pub fn by_address(&self, address: &str, now: Timestamp) -> Option<Arc<Sender>> {
        self.directory
            .at(now)
            .by_mail_address(address)
            .and_then(sender)
    }

    /// A participant in force.
    #[must_use]
    pub fn by_id(&self, id: &ParticipantId, now: Timestamp) -> Option<Arc<Sender>> {
        self.directory.at(now).by_id(id).and_then(sender)
    }

    /// The OpenPGP certificates registered for an address, as registered (armored or binary).
    #[must_use]
    pub fn openpgp_certificates_for(&self, address: &str, now: Timestamp) -> Vec<Vec<u8>> {
        self.directory
            .at(now)
            .openpgp_certificates_for(address)
            .into_iter()
            .map(|certificate| certificate.as_bytes().to_vec())
            .collect()
    }

    /// The certificate to which mail for a participant is encrypted.
    #[must_use]
    pub fn openpgp_certificate_of(&self, id: &ParticipantId, now: Timestamp) -> Option<Vec<u8>> {
        let entry = self.directory.at(now).by_id(id)?.mail.as_ref()?;
        entry
            .openpgp_certificate
            .as_ref()
            .map(|text| text.as_bytes().to_vec())
    }

    /// True if that key is the one registered for the sender's mail.
    #[must_use]
    pub fn has_openpgp_key(&self, sender: &Sender, fingerprint: &str, now: Timestamp) -> bool {
        self.directory
            .at(now)
            .by_id(&sender.id)
            .and_then(|participant| participant.mail.as_ref())
            .and_then(|mail| mail.openpgp_fingerprint.as_ref())
            .is_some_and(|registered| registered.eq_ignore_ascii_case(fingerprint))
    }

    /// The participant that a submission names: an id, an address at the
    /// gateway's own domain whose local part is an id, or a registered address.
    #[must_use]
    pub fn resolve(&self, name: &str, own_domain: &str, now: Timestamp) -> Option<ParticipantId> {
        let view = self.directory.at(now);
        let by_id = |text: &str| {
            text.parse()
                .ok()
                .and_then(|id| view.by_id(&id))
                .map(|one| one.id.clone())
        };
        match name.rsplit_once('@') {
            None => by_id(name),
            Some((local, domain)) if domain.eq_ignore_ascii_case(own_domain) => by_id(local),
            Some(_) => view.by_mail_address(name).map(|one| one.id.clone()),
        }
    }

    /// True if the caller may know that the other takes part.
    #[must_use]
    pub fn may_know(&self, caller: &Sender, other: &ParticipantId, now: Timestamp) -> bool {
        let view = self.directory.at(now);
        match (view.by_id(&caller.id), view.by_id(other)) {
            (Some(caller), Some(other)) => view.may_see(caller, other, &self.register),
            _ => false,
        }
    }

    /// The participants that the caller may write to.
    #[must_use]
    pub fn cards_for(&self, caller: &Sender, now: Timestamp) -> Vec<RecipientCard> {
        let view = self.directory.at(now);
        let Some(viewer) = view.by_id(&caller.id) else {
            return Vec::new();
        };
        view.visible_to(viewer, &self.register)
            .into_iter()
            .map(|other| {
                let channel = other.reached_by(now);
                let by_channel = channel.map_or(Level::Nc, |entry| {
                    entry.accreditation.min(entry.crypto_approval)
                });
                RecipientCard {
                    id: other.id.clone(),
                    name: other.name.clone(),
                    community: other.community.word().to_owned(),
                    country: other.country.to_string(),
                    // A company learns nothing of its neighbours' clearances.
                    ceiling: if viewer.is_private() {
                        Level::Nc
                    } else {
                        other.clearance_at(now).min(by_channel)
                    },
                    contact: other.duty.as_ref().map(|duty| duty.contact.clone()),
                }
            })
            .collect()
    }

    /// What a participant's own channel may carry.
    #[must_use]
    pub fn ceiling_of(&self, who: &Sender, channel: Channel, now: Timestamp) -> Level {
        self.directory
            .at(now)
            .by_id(&who.id)
            .and_then(|participant| participant.channel(channel, now))
            .map_or(Level::Nc, |entry| entry.accreditation)
    }

    /// What the sender could do so that a judgement becomes a permit, each
    /// tried by the engine. A company is told none: a hint may speak of rules
    /// that are not its to know.
    #[must_use]
    pub fn hints(
        &self,
        judgement: &Judgement,
        sender: &Sender,
        document: &MessageDocument,
    ) -> Vec<String> {
        match &judgement.derived {
            Some(derived) if !sender.private && judgement.verdict != Verdict::Permit => {
                let parts = document.parts();
                chancery_policy::explain::hints_for_sender(&self.engine, &derived.facts, &parts)
                    .iter()
                    .map(chancery_policy::explain::Hint::text)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Decides.
    #[must_use]
    pub fn judge(&self, question: &Question<'_>) -> Judgement {
        let view = self.directory.at(question.now);
        let meta = meta(question);
        let release = Release {
            message: &meta,
            sender: question.sender,
            recipient: question.recipient,
            channel: question.channel,
            // Whoever gets its own information back is nobody's to be asked for.
            consent: if question
                .document
                .returns_to(question.recipient, question.sender)
            {
                Consent::Granted
            } else {
                question.consent
            },
        };
        let own = view.by_id(question.sender);
        let (decision, derived) =
            match derive::facts(&release, &view, &self.register, &self.thresholds) {
                Ok(derived) => {
                    let ceiling = self.carried(
                        question.recipient,
                        derived.channel,
                        &derived.label,
                        question.now,
                    );
                    let derived = derived.carried_by(ceiling);
                    (self.engine.decide(&derived.facts), Some(derived))
                }
                Err(why) => (
                    self.engine
                        .refuse(question.message, question.recipient, why),
                    None,
                ),
            };
        let facts = derived.as_ref().map(|derived| &derived.facts);
        let safe = own.map_or(reason::SafeReason::NotReleasable, |own| {
            reason::safe(&decision, facts, own)
        });
        let mut judgement = Judgement {
            verdict: verdict(decision.verdict()),
            gates: decision.gates().iter().map(ToString::to_string).collect(),
            obligations: obligations(&decision, derived.as_ref()),
            facts: facts
                .map(chancery_policy::facts::Facts::to_json)
                .unwrap_or_default(),
            policy: decision.policy_hash(),
            // Only where communities are crossed is an agreement asked for.
            mou: derived
                .as_ref()
                .filter(|derived| derived.facts.is_cross())
                .and_then(|derived| derived.mou.mou.clone()),
            articles: derived
                .as_ref()
                .filter(|derived| derived.facts.is_cross())
                .map_or_else(Vec::new, |derived| derived.mou.cited()),
            reason: safe.text().to_owned(),
            hints: Vec::new(),
            alarms: decision.alarms().iter().map(ToString::to_string).collect(),
            channel: question.channel.unwrap_or(Channel::Rest),
            case: derived.as_ref().and_then(|derived| {
                Case::of(
                    &decision,
                    &derived.facts,
                    &derived.label,
                    question.message,
                    question.sender,
                    question.recipient,
                )
            }),
            decision,
            derived,
        };
        if let (Verdict::Permit, Some(registry)) =
            (judgement.verdict, &question.document.by_registry)
            && judgement.goes_by_registry()
        {
            judgement.reason = format!("released by way of {registry}, when that has it");
        }
        match judgement.derived.as_ref().map(|derived| derived.channel) {
            Some(Some(channel)) => judgement.channel = channel,
            // Nobody can be reached without a channel, whatever the gates say.
            Some(None) if judgement.verdict != Verdict::Deny => {
                judgement.verdict = Verdict::Deny;
                judgement.gates = vec!["G03".to_owned()];
                judgement.reason = reason::SafeReason::NotReleasable.text().to_owned();
                judgement.case = None;
            }
            Some(None) | None => {}
        }
        judgement
    }
}

fn sender(participant: &Participant) -> Option<Arc<Sender>> {
    Some(Arc::new(Sender {
        id: participant.id.clone(),
        name: participant.name.clone(),
        community: participant.community,
        // A compartment that keys cannot be named after is a participant without keys.
        compartment: participant.compartment.parse().ok()?,
        private: participant.is_private(),
        address: participant.mail.as_ref().map(|mail| mail.address.clone()),
        person: None,
    }))
}

fn meta(question: &Question<'_>) -> MessageMeta {
    let document = question.document;
    MessageMeta {
        id: question.message,
        label: document.label.clone().unwrap_or_default(),
        asserted: document.asserted.clone(),
        label_state: match document.standing {
            LabelStanding::Valid => LabelState::Valid,
            LabelStanding::Missing => LabelState::Missing,
            LabelStanding::Invalid => LabelState::Invalid,
            LabelStanding::Conflict => LabelState::Conflict,
        },
        purpose: Some(document.purpose),
        personal_data: Some(document.personal_data),
        originator: match &document.originator {
            Originator::Sender => derive::Originator::Sender,
            Originator::Other(id) => derive::Originator::Participant(id.clone()),
            Originator::Unknown => derive::Originator::Unknown,
        },
        forward: document.forward_of.is_some(),
        derived_from: document
            .derived_from
            .iter()
            .map(|source| derive::Source {
                label: source.label.clone(),
                originator: source.originator.clone(),
            })
            .collect(),
        addressees: Some(document.addressed.clone()),
        evaluated: document.evaluation.is_some(),
        portions: usize::try_from(document.portions).unwrap_or(usize::MAX),
    }
}
