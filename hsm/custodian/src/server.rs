//! The custodian's end: one request in, one answer out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_hsm_api::{KekId, KeyError, KeyErrorKind, KeyRole, KeyStore, is_certificate_verify};
use zeroize::Zeroizing;

use crate::chain::{Event, Outcome, Recorder};
use crate::gate::{Gate, Limits, Pass};
use crate::protocol::{Reply, decode, encode};
use crate::{
    Answer, Book, Client, Dossier, Governance, MAX_MAC_DATA, MAX_RANDOM, MAX_REQUEST, Operation,
    Request, Status, Tally, may,
};

/// Refusals of one client that get a line each, per [`WINDOW`]; the rest is
/// counted in the next line, so that nobody fills the disk by asking wrongly.
const LINES_PER_WINDOW: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);

/// Answers requests with the keys of one token.
pub struct Server<K> {
    keys: K,
    book: Book,
    recorder: Arc<dyn Recorder>,
    gates: Gates,
    tallies: Mutex<BTreeMap<(Client, Operation), Tally>>,
    refusals: Mutex<BTreeMap<Client, Refusals>>,
    log_writable: AtomicBool,
    /// Register, roster and role table; none in tests of the protocol alone.
    governance: Option<Governance>,
}

#[derive(Debug)]
struct Gates {
    core: Gate,
    doors: Gate,
    readers: Gate,
    admin: Gate,
}

#[derive(Clone, Copy, Debug)]
struct Refusals {
    since: Instant,
    lines: u32,
    suppressed: u64,
}

impl<K: KeyStore> Server<K> {
    /// A server over those keys.
    pub fn new(keys: K, book: Book, recorder: Arc<dyn Recorder>, limits: Limits) -> Self {
        Self {
            keys,
            book,
            recorder,
            gates: Gates {
                core: Gate::new(limits.core),
                doors: Gate::new(limits.doors),
                readers: Gate::new(limits.readers),
                admin: Gate::new(limits.admin),
            },
            tallies: Mutex::default(),
            refusals: Mutex::default(),
            log_writable: AtomicBool::new(true),
            governance: None,
        }
    }

    /// Governed by register, roster and role table: keys are used in their
    /// time alone, and custodians may order.
    #[must_use]
    pub fn with_governance(mut self, governance: Governance) -> Self {
        self.governance = Some(governance);
        self
    }

    /// The keys.
    pub const fn keys(&self) -> &K {
        &self.keys
    }

    /// Answers one request of `client`, as its socket proves who it is. Blocks
    /// while it waits for a turn and for the token. The answer is wiped on drop.
    pub fn handle(&self, client: Client, request: &[u8]) -> Zeroizing<Vec<u8>> {
        let (operation, reply) = self.answer(client, request);
        self.count(
            client,
            operation,
            reply.as_ref().err().map(|error| error.kind),
        );
        encode(&reply, operation).unwrap_or_else(|error| {
            // An error of ours always fits; should it not, silence is the answer.
            encode(&Reply::Err(error), operation).unwrap_or_default()
        })
    }

    fn answer(&self, client: Client, bytes: &[u8]) -> (Operation, Reply) {
        let what = Operation::Malformed;
        if bytes.len() > MAX_REQUEST {
            return (
                what,
                Err(self.refuse(client, what, "the request is too long")),
            );
        }
        let request = match decode::<Request>(bytes) {
            Ok(request) => request,
            Err(why) => return (what, Err(self.refuse(client, what, why))),
        };
        let what = request.operation();
        let subject = request
            .subject()
            .map_or_else(String::new, |role| format!("{role}: "));
        let taken = self
            .governance
            .as_ref()
            .is_some_and(|governance| governance.denies(client, what));
        if taken || !may(client, &request) {
            let why = format!("{subject}this client's role does not include it");
            return (what, Err(self.refuse(client, what, &why)));
        }
        let reply = self.enter(client, what).and_then(|_pass| {
            self.in_time(&request)?;
            self.perform(request)
        });
        if let Err(error) = &reply
            && (error.kind == KeyErrorKind::Denied || is_tampering(what, error.kind))
        {
            self.note_refusal(client, what, &format!("{subject}{}", error.detail));
        }
        (what, reply)
    }

    fn enter(&self, client: Client, what: Operation) -> Result<Pass<'_>, KeyError> {
        let gate = match client {
            Client::Core => &self.gates.core,
            Client::Door(_) => &self.gates.doors,
            Client::Reader(_) => &self.gates.readers,
            Client::Admin => &self.gates.admin,
        };
        gate.enter(client, Instant::now())
            .map_err(|why| KeyError::new(KeyErrorKind::Busy, what.words(), why))
    }

    /// Whether the key that this would use is in its time.
    fn in_time(&self, request: &Request) -> Result<(), KeyError> {
        let Some(governance) = &self.governance else {
            return Ok(());
        };
        let (register, keys) = (governance.register(), &self.keys);
        let kek = |id: &KekId| KeyRole::Kek(id.clone());
        match request {
            Request::NewContentKey(id) => register.may_make(keys, &kek(id)),
            Request::UnwrapKey(wrapped) => {
                register.may_open(&kek(&wrapped.kek), wrapped.generation)
            }
            Request::RewrapKey { wrapped, to } => {
                register.may_open(&kek(&wrapped.kek), wrapped.generation)?;
                register.may_make(keys, &kek(to))
            }
            // A digest is compared by computing it again: nobody can tell the two apart.
            Request::Mac {
                usage,
                generation: None,
                ..
            } => register.may_open_newest(keys, &KeyRole::Mac(*usage)),
            Request::Mac {
                usage,
                generation: Some(generation),
                ..
            } => register.may_open(&KeyRole::Mac(*usage), *generation),
            Request::SignCheckpoint(_) => register.may_make(keys, &KeyRole::AuditCheckpoint),
            Request::PgpSign(_) => register.may_make(keys, &KeyRole::PgpSign),
            Request::TlsSign { zone, .. } => register.may_make(keys, &KeyRole::Tls(*zone)),
            Request::PgpAgree(_) => register.may_open_newest(keys, &KeyRole::PgpDecrypt),
            Request::Random(_)
            | Request::LastCheckpoint(_)
            | Request::PublicKey(_)
            | Request::Keys
            | Request::Status
            | Request::LogHead
            | Request::Capabilities
            | Request::Cards
            | Request::Roster
            | Request::Perform(_)
            | Request::Blobs { .. } => Ok(()),
        }
    }

    fn governance(&self, what: Operation) -> Result<&Governance, KeyError> {
        self.governance.as_ref().ok_or_else(|| {
            let why = "this custodian keeps no register";
            KeyError::new(KeyErrorKind::Unsupported, what.words(), why)
        })
    }

    fn order(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        let what = Operation::Perform;
        let unreadable = |why: &str| KeyError::new(KeyErrorKind::Denied, what.words(), why);
        let dossier: Dossier = serde_json::from_slice(bytes)
            .map_err(|_| unreadable("this is no dossier of this version"))?;
        let done =
            self.governance(what)?
                .perform(&self.keys, &Client::Admin.to_string(), &dossier)?;
        serde_json::to_vec(&done).map_err(|_| unreadable("the answer cannot be written"))
    }

    fn perform(&self, request: Request) -> Reply {
        let keys = &self.keys;
        let what = request.operation();
        Ok(match request {
            Request::NewContentKey(kek) => {
                let (key, wrapped) = keys.new_content_key(&kek)?;
                Answer::NewContentKey(key, wrapped)
            }
            Request::UnwrapKey(wrapped) => Answer::ContentKey(keys.unwrap_key(&wrapped)?),
            Request::RewrapKey { wrapped, to } => Answer::Wrapped(keys.rewrap_key(&wrapped, &to)?),
            Request::Mac {
                usage,
                generation,
                data,
            } => {
                if data.len() > MAX_MAC_DATA {
                    return Err(KeyError::new(
                        KeyErrorKind::Data,
                        what.words(),
                        "too much data",
                    ));
                }
                Answer::Mac(match generation {
                    None => keys.mac(usage, &data)?,
                    Some(generation) => keys.mac_of(usage, generation, &data)?,
                })
            }
            Request::Random(count) => {
                if usize::from(count) > MAX_RANDOM {
                    return Err(KeyError::new(
                        KeyErrorKind::Data,
                        what.words(),
                        "too many bytes",
                    ));
                }
                let mut bytes = vec![0; usize::from(count)];
                keys.fill(&mut bytes)?;
                Answer::Random(bytes)
            }
            Request::LastCheckpoint(origin) => {
                self.book.check_origin(&origin)?;
                let (size, root) = self.book.last();
                Answer::LastCheckpoint { size, root }
            }
            Request::SignCheckpoint(request) => Answer::Checkpoint(self.book.sign(keys, &request)?),
            Request::PgpSign(digest) => split(keys.pgp_sign(&digest)?),
            Request::PgpAgree(point) => Answer::Agreed(keys.pgp_agree(&point)?),
            Request::TlsSign { zone, message } => {
                if !is_certificate_verify(&message) {
                    let why = "the message is no TLS 1.3 CertificateVerify";
                    return Err(KeyError::new(KeyErrorKind::Denied, what.words(), why));
                }
                split(keys.tls_sign(zone, &message)?)
            }
            Request::PublicKey(role) => Answer::PublicKey(keys.public_key(&role)?),
            Request::Keys => Answer::Keys(keys.keys()?),
            Request::Status => Answer::Status(self.status()),
            Request::Capabilities => Answer::Capabilities(keys.capabilities()),
            Request::LogHead => Answer::LogHead(self.recorder.head()),
            Request::Cards => Answer::Cards(self.governance(what)?.register().cards()),
            Request::Roster => {
                let text = serde_json::to_vec(&self.governance(what)?.roster());
                Answer::Roster(text.unwrap_or_default())
            }
            Request::Perform(dossier) => Answer::Performed(self.order(&dossier)?),
            Request::Blobs {
                kek,
                generation,
                blobs,
                closed,
            } => {
                let role = KeyRole::Kek(kek);
                let register = self.governance(what)?.register();
                register.note_blobs(&role, generation, blobs, closed)?;
                Answer::Noted
            }
        })
    }

    fn status(&self) -> Status {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            token: self.keys.health(),
            log: self.recorder.head(),
            log_writable: self.log_writable.load(Ordering::Relaxed),
            tallies: tallies
                .iter()
                .map(|((who, what), tally)| (*who, *what, *tally))
                .collect(),
        }
    }

    fn refuse(&self, client: Client, what: Operation, why: &str) -> KeyError {
        self.note_refusal(client, what, why);
        KeyError::new(KeyErrorKind::Denied, what.words(), why)
    }

    fn note_refusal(&self, client: Client, what: Operation, why: &str) {
        let Some(suppressed) = self.line_for(client, Instant::now()) else {
            return;
        };
        tracing::warn!(%client, operation = %what, why, suppressed, "refused");
        let event = Event {
            client: client.to_string(),
            operation: what.to_string(),
            outcome: Outcome::Refused,
            detail: why.to_owned(),
            suppressed,
        };
        // The refusal stands whether or not it can be recorded; the status tells.
        let kept = self.recorder.record(&event);
        self.log_writable.store(kept.is_ok(), Ordering::Relaxed);
        if let Err(error) = kept {
            tracing::error!(%error, "the custodian's log cannot be written");
        }
    }

    /// How many refusals this line stands for besides its own; none if there
    /// were enough lines of this client for now.
    fn line_for(&self, client: Client, now: Instant) -> Option<u64> {
        let mut all = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = all.entry(client).or_insert(Refusals {
            since: now,
            lines: 0,
            suppressed: 0,
        });
        if now.saturating_duration_since(mine.since) >= WINDOW {
            mine.since = now;
            mine.lines = 0;
        }
        if mine.lines >= LINES_PER_WINDOW {
            mine.suppressed += 1;
            return None;
        }
        mine.lines += 1;
        Some(std::mem::take(&mut mine.suppressed))
    }

    fn count(&self, client: Client, what: Operation, error: Option<KeyErrorKind>) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry((client, what)).or_default();
        match error {
            None => tally.done += 1,
            Some(KeyErrorKind::Denied) => tally.refused += 1,
            Some(KeyErrorKind::Busy) => tally.busy += 1,
            Some(_) => tally.failed += 1,
        }
    }
}

/// A wrapped key that does not open under its own KEK was changed, or is asked
/// for under another level's.
const fn is_tampering(what: Operation, kind: KeyErrorKind) -> bool {
    matches!(what, Operation::UnwrapKey | Operation::RewrapKey)
        && matches!(kind, KeyErrorKind::Data)
}

fn split(signature: [u8; 64]) -> Answer {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    let (left, right) = signature.split_at(32);
    r.copy_from_slice(left);
    s.copy_from_slice(right);
    Answer::Signature(r, s)
}

impl<K> std::fmt::Debug for Server<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("book", &self.book)
            .finish_non_exhaustive()
    }
}
