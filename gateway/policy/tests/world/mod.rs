//! The example directory with keys filled in, officers who can sign, and messages.
#![allow(dead_code, reason = "each test file uses a part of it")]

use chancery_label::{Label, Level};
use chancery_message::{MessageId, OfficerId, ParticipantId, Timestamp};
use chancery_policy::approval::{Record, Signed, Vote};
use chancery_policy::decision::Decision;
use chancery_policy::derive::{self, Derived, MessageMeta, Originator, Release, Thresholds};
use chancery_policy::directory::{Directory, Fingerprint, Participant};
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Consent, LabelState};
use chancery_policy::mou::Register;
use chancery_policy::shipped;
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePublicKey, LineEnding};

pub(crate) const NODE: &str = "node-1";
pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) directory: Directory,
    pub(crate) register: Register,
    pub(crate) now: Timestamp,
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> ParticipantId {
    text.parse().unwrap()
}

pub(crate) fn officer(text: &str) -> OfficerId {
    text.parse().unwrap()
}

/// The key of an officer of the tests: made from the name.
pub(crate) fn key(name: &str) -> SigningKey {
    let mut bytes = [7; 32];
    for (place, letter) in bytes.iter_mut().zip(name.bytes()) {
        *place = letter;
    }
    SigningKey::from_slice(&bytes).unwrap()
}

pub(crate) fn world() -> World {
    world_with(|_| {})
}

/// The example directory with keys, changed.
pub(crate) fn world_with(change: impl Fn(&mut Vec<Participant>)) -> World {
    let shipped = shipped::directory(7).unwrap();
    let mut participants = shipped.participants().to_vec();
    for (number, one) in participants.iter_mut().enumerate() {
        let print = |channel: u8| {
            let mut bytes = [channel; 32];
            bytes[0] = u8::try_from(number).unwrap();
            Fingerprint(bytes)
        };
        if let Some(tls) = &mut one.siena {
            tls.certificates.push(print(1));
        }
        if let Some(tls) = &mut one.rest {
            tls.certificates.push(print(2));
        }
        if let Some(mail) = &mut one.mail {
            mail.openpgp_certificate = Some(format!("certificate of {}", mail.address));
        }
    }
    change(&mut participants);
    let mut officers = shipped.officers().to_vec();
    for one in &mut officers {
        let public = *key(one.id.as_str()).verifying_key();
        one.key = Some(public.to_public_key_pem(LineEnding::LF).unwrap());
    }
    let directory = Directory::new(7, participants, officers).unwrap();
    let register = shipped::register(&directory).unwrap();
    World {
        engine: Engine::shipped().unwrap(),
        directory,
        register,
        now: at(NOW),
    }
}

pub(crate) fn message(label: Label, recipients: &[&str]) -> MessageMeta {
    MessageMeta {
        id: MessageId::from_bytes([9; 16]),
        asserted: Some(label.clone()),
        label,
        label_state: LabelState::Valid,
        purpose: None,
        personal_data: Some(false),
        originator: Originator::Sender,
        forward: false,
        derived_from: Vec::new(),
        addressees: Some(recipients.iter().map(|name| id(name)).collect()),
        evaluated: true,
        portions: 0,
    }
}

pub(crate) fn of(level: Level) -> Label {
    Label::of(level)
}

impl World {
    pub(crate) fn derive(&self, meta: &MessageMeta, from: &str, to: &str) -> Derived {
        self.derive_with(meta, from, to, Consent::NotApplicable)
    }

    pub(crate) fn derive_with(
        &self,
        meta: &MessageMeta,
        from: &str,
        to: &str,
        consent: Consent,
    ) -> Derived {
        let release = Release {
            message: meta,
            sender: &id(from),
            recipient: &id(to),
            channel: None,
            consent,
        };
        derive::facts(
            &release,
            &self.directory.at(self.now),
            &self.register,
            &Thresholds::default(),
        )
        .unwrap()
    }

    pub(crate) fn decide(&self, meta: &MessageMeta, from: &str, to: &str) -> (Derived, Decision) {
        let derived = self.derive(meta, from, to);
        let decision = self.engine.decide(&derived.facts);
        (derived, decision)
    }

    /// `permit`, or the verdict with its gates.
    pub(crate) fn answer(&self, meta: &MessageMeta, from: &str, to: &str) -> String {
        let (_, decision) = self.decide(meta, from, to);
        let gates: Vec<_> = decision.gates().iter().map(ToString::to_string).collect();
        format!("{} {}", decision.verdict(), gates.join(" "))
            .trim()
            .to_owned()
    }

    pub(crate) fn sign(&self, name: &str, operation: &str, digest: [u8; 32], vote: Vote) -> Signed {
        let record = Record {
            node: NODE.to_owned(),
            operation: operation.to_owned(),
            digest,
            vote,
            nonce: [3; 16],
            not_after: self.now.after(std::time::Duration::from_secs(600)),
        };
        record.sign(officer(name), &key(name)).unwrap()
    }
}
