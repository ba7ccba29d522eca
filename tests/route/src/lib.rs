//! The way of a message in one process: the real stages and the real store,
//! with keys in memory and a clock that the test moves. The daemons with a real
//! token are tested in `tests/flow`.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::indexing_slicing,
    missing_docs,
    missing_debug_implementations,
    reason = "builders of tests: what cannot be built fails the test"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_audit::{Actor, Event as AuditEvent, EventKind, Record as AuditRecord};
use chancery_hsm_api::{
    ContentKey, ContentKeys, KekId, KeyError, KeyErrorKind, WrapScheme, WrappedKey,
};
use chancery_label::{Label, Level};
use chancery_message::{
    AssertedLabel, CertificateEvidence, Channel, Clock, Entropy, EntropyError, Inbound, Intent,
    LabelSource, Operation, Parsed, PeerEvidence, Precedence, Purpose, RecipientRole,
    RequestedRecipient, SignatureEvidence, Submission, Text, Timestamp, TransportEvidence,
};
use chancery_pipeline::gateway::{Gateway, Node, StageError, Times};
use chancery_pipeline::held;
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdicts};
use chancery_pipeline::rows::DeliveryRow;
use chancery_pipeline::rulebook::{Candidate, Keeper, RuleText};
use chancery_pipeline::rules::{Rules, Sender};
use chancery_pipeline::stages::accept::accept;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::release::{Released, release};
use chancery_policy::PolicyTexts;
use chancery_policy::approval::{Record, Signed, Vote};
use chancery_policy::derive::Thresholds;
use chancery_policy::directory::{Directory, Fingerprint};
use chancery_policy::engine::Engine;
use chancery_policy::mou::{Mou, Register};
use chancery_policy::shipped;
use chancery_seal::{IndexKey, RowKey};
use chancery_store::{Store, StoreConfig};
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};

/// Noon on the day of the demo's agreements.
pub const NOON: &str = "2026-11-22T12:00:00Z";

/// A clock that stands until it is moved. Whoever asks it can be interrupted.
pub struct TestClock {
    now: AtomicI64,
    interruption: Mutex<Option<(usize, Interruption)>>,
}

/// What happens while somebody asks what time it is.
pub type Interruption = Box<dyn FnOnce() + Send>;

impl TestClock {
    /// Does this while the clock is asked once more after `times` times.
    pub fn interrupt(&self, times: usize, by: Interruption) {
        *self.interruption.lock().unwrap() = Some((times, by));
    }

    /// True if it has not come to the interruption; there is none any more.
    pub fn uninterrupted(&self) -> bool {
        self.interruption.lock().unwrap().take().is_some()
    }

    fn due(&self) -> Option<Interruption> {
        let mut waiting = self.interruption.lock().unwrap();
        match waiting.take() {
            Some((0, by)) => Some(by),
            Some((times, by)) => {
                *waiting = Some((times - 1, by));
                None
            }
            None => None,
        }
    }

    pub fn advance(&self, span: Duration) {
        self.now
            .fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        if let Some(by) = self.due() {
            by();
        }
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }
}

/// Bytes that never repeat.
#[derive(Default)]
pub struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buffer.chunks_mut(8) {
            let next = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            let mixed = (next ^ (next >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Content keys behind handles: a blob is useless without this value, and
/// belongs to one KEK.
#[derive(Default)]
pub struct TestKeys {
    keys: Mutex<HashMap<Vec<u8>, (KekId, ContentKey)>>,
    entropy: TestEntropy,
}

impl TestKeys {
    fn wrap(&self, kek: &KekId, key: ContentKey) -> WrappedKey {
        let mut blob = vec![0; 40];
        self.entropy.fill(&mut blob).unwrap();
        self.keys
            .lock()
            .unwrap()
            .insert(blob.clone(), (kek.clone(), key));
        WrappedKey {
            kek: kek.clone(),
            generation: 1,
            scheme: WrapScheme::AesKw,
            blob,
        }
    }
}

impl ContentKeys for TestKeys {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes).unwrap();
        let key = ContentKey::new(bytes);
        Ok((key.clone(), self.wrap(kek, key)))
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        match self.keys.lock().unwrap().get(&wrapped.blob) {
            Some((kek, key)) if *kek == wrapped.kek => Ok(key.clone()),
            _ => Err(KeyError::new(
                KeyErrorKind::Data,
                "unwrap",
                "not of this key",
            )),
        }
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        let key = self.unwrap_key(wrapped)?;
        Ok(self.wrap(to, key))
    }
}

/// A gateway with the example participants, in a temporary folder.
pub struct World {
    pub gateway: Gateway,
    pub clock: Arc<TestClock>,
    pub officers: HashMap<String, SigningKey>,
    pub database: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

/// The certificate of an example participant on a channel, as its door would see it.
pub fn fingerprint(participant: &str) -> [u8; 32] {
    let mut bytes = [0x5A; 32];
    for (place, byte) in participant.bytes().enumerate() {
        bytes[place % 32] ^= byte.rotate_left(u32::try_from(place % 7).unwrap());
    }
    bytes
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("chancery.db");
        let config = StoreConfig {
            create: true,
            ..StoreConfig::default()
        };
        let log = "chancery/test".parse().unwrap();
        let store = Store::open_sqlite(&database, &log, &config).unwrap();
        let clock = Arc::new(TestClock {
            now: AtomicI64::new(Timestamp::parse(NOON).unwrap().as_micros()),
            interruption: Mutex::default(),
        });
        let mut officers = HashMap::new();
        let rules = rules(0, &mut officers, |_| {});
        let gateway = Gateway::new(
            Arc::new(store),
            Arc::new(TestKeys::default()),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(TestEntropy::default()),
            RowKey::new([7; 32]),
            IndexKey::new([8; 32]),
            node(),
            rules,
        );
        Self {
            gateway,
            clock,
            officers,
            database,
            _folder: folder,
        }
    }

    /// A gateway whose rules were founded with the signatures of its first
    /// officers, as `chancery init` does it.
    pub fn founded() -> Self {
        let mut world = Self::new();
        let now = world.gateway.now();
        let plain = rules(0, &mut world.officers, |_| {});
        let (participants, officers) = plain.directory().to_toml().unwrap();
        let mut all = vec![
            RuleText::participants(participants),
            RuleText::officers(officers),
            RuleText::policies(&PolicyTexts::shipped()),
        ];
        all.extend(
            shipped::MOUS
                .iter()
                .map(|(name, text)| RuleText::mou(name, (*text).to_owned()).unwrap()),
        );
        let candidates: Vec<Candidate> = all
            .into_iter()
            .map(|rule| Candidate {
                place: rule.key.clone(),
                signatures: Some(
                    serde_json::to_string(&[
                        world.sign("dimitri", rule.operation(), rule.digest(), Vote::Approve),
                        world.sign("elena", rule.operation(), rule.digest(), Vote::Approve),
                    ])
                    .unwrap(),
                ),
                rule,
            })
            .collect();
        let keeper = Keeper {
            ledger: world.gateway.ledger.as_ref(),
            row_key: &world.gateway.row_key,
            node: "test",
            now,
        };
        let (rules, left) = keeper
            .take_in(&candidates, Some(plain.shared_engine()))
            .unwrap();
        assert!(left.is_empty(), "{left:?}");
        world.gateway.replace_rules(rules);
        world
    }

    /// An officer's signature.
    pub fn sign(&self, officer: &str, operation: &str, digest: [u8; 32], vote: Vote) -> Signed {
        let mut nonce = [0; 16];
        nonce[8..].copy_from_slice(&NONCE.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        Record {
            node: "test".to_owned(),
            operation: operation.to_owned(),
            digest,
            vote,
            nonce,
            not_after: self.gateway.now().after(Duration::from_secs(600)),
        }
        .sign(officer.parse().unwrap(), &self.officers[officer])
        .unwrap()
    }

    /// Whom a certificate of this participant proves.
    pub fn sender(&self, id: &str) -> Arc<Sender> {
        self.gateway
            .rules()
            .by_id(&id.parse().unwrap(), self.gateway.now())
            .unwrap()
    }

    /// The deliveries of a message.
    pub fn deliveries(&self, verdicts: &Verdicts) -> Vec<DeliveryRow> {
        self.gateway
            .ledger
            .deliveries_of(&verdicts.message.unwrap())
            .unwrap()
    }

    /// A recipient fetches what it was sent.
    pub fn fetch(&self, row: &DeliveryRow) -> Result<Released, StageError> {
        let by = Actor::Participant(row.recipient.clone());
        let session = peer(row.recipient.as_str(), row.channel).transport;
        release(
            &self.gateway,
            &row.id,
            &row.recipient,
            &by,
            over(row.channel, &session),
        )
    }

    /// All records so far.
    pub fn records(&self) -> Vec<AuditEvent> {
        self.gateway
            .ledger
            .leaves(0, 10_000)
            .unwrap()
            .iter()
            .map(|leaf| AuditRecord::parse(&leaf.record).unwrap().event)
            .collect()
    }

    /// How often an event was recorded.
    pub fn count(&self, kind: EventKind) -> usize {
        self.records()
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }

    /// Submits as a participant on a channel, as door and reader would.
    pub fn submit(
        &self,
        sender: &str,
        channel: Channel,
        submission: Submission,
    ) -> Result<Outcome, StageError> {
        self.submit_keyed(sender, channel, submission, None)
    }

    pub fn submit_keyed(
        &self,
        sender: &str,
        channel: Channel,
        submission: Submission,
        key: Option<&str>,
    ) -> Result<Outcome, StageError> {
        let held = held::hold(&self.gateway, b"the original bytes").unwrap();
        let inbound = Inbound {
            peer: peer(sender, channel),
            operation: Operation::Send,
            idempotency_key: key.map(str::to_owned),
            envelope_to: Vec::new(),
            envelope_from: None,
        };
        accept(
            &self.gateway,
            &inbound,
            held,
            Parsed::Whole(Box::new(submission)),
        )
    }

    /// Submits what must be accepted.
    pub fn accepted(&self, sender: &str, channel: Channel, submission: Submission) -> Verdicts {
        match self.submit(sender, channel, submission).unwrap() {
            Outcome::Accepted(verdicts) => verdicts,
            other => panic!("not accepted: {other:?}"),
        }
    }
}

/// Numbers used once.
static NONCE: AtomicU64 = AtomicU64::new(1);

/// The class of a refusal.
pub fn refusal<T: std::fmt::Debug>(done: Result<T, StageError>) -> (RefusalKind, String) {
    match done {
        Err(StageError::Refused(refusal)) => (refusal.kind, refusal.detail),
        other => panic!("not refused: {other:?}"),
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn node() -> Node {
    Node {
        name: "test".to_owned(),
        mail_domain: "gateway.example".to_owned(),
        floors: Channel::ALL.map(|channel| (channel, Label::default())),
        europol: Some("europol-ec3".parse().unwrap()),
        aggregate_portions: 10,
        max_attachment: 1024 * 1024 * 1024,
        max_mail: 50 * 1024 * 1024,
        upload_lifetime: Duration::from_secs(24 * 3600),
        delivery_lifetime: Duration::from_secs(72 * 3600),
        hold_for_receipts: true,
        times: Times::default(),
    }
}

/// The example rules with keys for everybody, changed by `change`.
pub fn rules(
    epoch: u64,
    officers: &mut HashMap<String, SigningKey>,
    change: impl FnOnce(&mut Vec<chancery_policy::directory::Participant>),
) -> Rules {
    changed_rules(epoch, officers, change, |_| {})
}

/// The example rules with other MoUs.
pub fn rules_with(
    epoch: u64,
    officers: &mut HashMap<String, SigningKey>,
    change: impl FnOnce(&mut Vec<Mou>),
) -> Rules {
    changed_rules(epoch, officers, |_| {}, change)
}

fn changed_rules(
    epoch: u64,
    officers: &mut HashMap<String, SigningKey>,
    change: impl FnOnce(&mut Vec<chancery_policy::directory::Participant>),
    agree: impl FnOnce(&mut Vec<Mou>),
) -> Rules {
    let examples = shipped::directory(epoch).unwrap();
    let mut participants = examples.participants().to_vec();
    for participant in &mut participants {
        let own = Fingerprint(fingerprint(participant.id.as_str()));
        for entry in [&mut participant.rest, &mut participant.siena]
            .into_iter()
            .flatten()
        {
            entry.certificates = vec![own];
        }
        if let Some(mail) = &mut participant.mail {
            mail.openpgp_fingerprint = Some("A".repeat(40));
            mail.openpgp_certificate = Some("example".to_owned());
        }
    }
    change(&mut participants);
    let mut people = examples.officers().to_vec();
    for (place, officer) in people.iter_mut().enumerate() {
        let key = officers.entry(officer.id.to_string()).or_insert_with(|| {
            let mut bytes = [1; 32];
            bytes[31] = u8::try_from(place + 1).unwrap();
            SigningKey::from_slice(&bytes).unwrap()
        });
        officer.key = Some(
            key.verifying_key()
                .to_public_key_pem(LineEnding::LF)
                .unwrap(),
        );
    }
    let directory = Directory::new(epoch, participants, people).unwrap();
    let mut mous = shipped::register(&directory).unwrap().mous().to_vec();
    agree(&mut mous);
    let register = Register::new(mous, &directory).unwrap();
    Rules::new(
        directory,
        register,
        Arc::new(Engine::shipped().unwrap()),
        Thresholds::default(),
    )
}

/// Over what a delivery by this channel travels.
#[must_use]
pub fn over(channel: Channel, session: &TransportEvidence) -> Over<'_> {
    if channel.is_pulled() {
        Over::Session(session)
    } else {
        Over::Relay
    }
}

/// A hybrid session.
#[must_use]
pub fn hybrid() -> TransportEvidence {
    peer("anybody", Channel::Rest).transport
}

/// The hybrid session of a participant, as its door would see it.
pub fn peer(participant: &str, channel: Channel) -> PeerEvidence {
    PeerEvidence {
        channel,
        transport: TransportEvidence::MutualTls {
            certificate: CertificateEvidence {
                fingerprint: fingerprint(participant),
                spki: [0; 32],
                not_after: Timestamp::parse("2030-01-01T00:00:00Z").unwrap(),
                key: "ecdsa_secp256r1_sha256".to_owned(),
            },
            group: "X25519MLKEM768".to_owned(),
        },
        address: "192.0.2.1:4711".to_owned(),
    }
}

/// A small message.
pub fn message(to: &[&str], level: Level) -> Submission {
    Submission {
        intent: Intent::Send,
        claimed_sender: None,
        recipients: to
            .iter()
            .map(|name| RequestedRecipient {
                name: (*name).to_owned(),
                role: RecipientRole::To,
            })
            .collect(),
        subject: Text::new("Fictitious subject"),
        body: Text::new("Fictitious text.\n"),
        attachments: Vec::new(),
        label: AssertedLabel::Valid {
            label: Label::of(level),
            source: LabelSource::Field,
        },
        signature: SignatureEvidence::Absent,
        protection: None,
        precedence: Precedence::Routine,
        purpose: Some(Purpose::CyberCrisis),
        personal_data: Some(false),
        originator: None,
        derived_from: Vec::new(),
        reference: None,
        in_reply_to: None,
        evaluation: None,
        external_id: None,
        siena: None,
    }
}
