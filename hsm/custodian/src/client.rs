//! The users' end: every capability of `chancery-hsm-api`, asked over a socket.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    Capability, CheckpointRequest, Checkpoints, ContentKey, ContentKeys, DoorZone, KekId, KeyError,
    KeyErrorKind, KeyInfo, KeyRole, MacUse, Macs, PgpDecryption, PgpSigning, PublicKeys,
    Randomness, SharedSecret, SignedCheckpoint, TlsSigning, WrappedKey,
};

use crate::protocol::{Reply, decode_reply, encode};
use crate::{
    Answer, Dossier, Head, KeyCard, MAX_MAC_DATA, MAX_RANDOM, Performed, Request, RosterText,
    Status,
};

/// First pause before asking again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

type Call = Box<dyn Fn(&[u8]) -> io::Result<Vec<u8>> + Send + Sync>;

/// Asks the custodian.
///
/// A custodian that was restarted is asked again until the patience ends: every
/// request may be asked twice (a second content key is simply another one; a
/// checkpoint that was signed is answered again from the book).
pub struct CustodyClient {
    call: Call,
    patience: Duration,
}

impl CustodyClient {
    /// Over `call`, which sends a request and waits for its answer, within a
    /// deadline of its own; an error of it means that nothing was answered.
    pub fn new(call: impl Fn(&[u8]) -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self {
            call: Box::new(call),
            patience: Duration::from_secs(5),
        }
    }

    /// How long an unreachable custodian is asked again; five seconds unless told.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How custodian and token fare.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn status(&self) -> Result<Status, KeyError> {
        match self.ask(&Request::Status)? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(&Request::Status, &other)),
        }
    }

    /// All keys that have a role.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn keys(&self) -> Result<Vec<KeyInfo>, KeyError> {
        match self.ask(&Request::Keys)? {
            Answer::Keys(keys) => Ok(keys),
            other => Err(unexpected(&Request::Keys, &other)),
        }
    }

    /// What the token can do, by plan.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn capabilities(&self) -> Result<Vec<Capability>, KeyError> {
        match self.ask(&Request::Capabilities)? {
            Answer::Capabilities(rows) => Ok(rows),
            other => Err(unexpected(&Request::Capabilities, &other)),
        }
    }

    /// The head of the custodian's own log.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn log_head(&self) -> Result<Head, KeyError> {
        match self.ask(&Request::LogHead)? {
            Answer::LogHead(head) => Ok(head),
            other => Err(unexpected(&Request::LogHead, &other)),
        }
    }

    /// The register of keys.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn cards(&self) -> Result<Vec<KeyCard>, KeyError> {
        match self.ask(&Request::Cards)? {
            Answer::Cards(cards) => Ok(cards),
            other => Err(unexpected(&Request::Cards, &other)),
        }
    }

    /// Tells how many blobs are under a KEK that is no longer active;
    /// `closed`: none, and the database takes no more.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn note_blobs(
        &self,
        kek: &KekId,
        generation: u32,
        blobs: u64,
        closed: bool,
    ) -> Result<(), KeyError> {
        let request = Request::Blobs {
            kek: kek.clone(),
            generation,
            blobs,
            closed,
        };
        match self.ask(&request)? {
            Answer::Noted => Ok(()),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// The roster of custodians; none where nobody was enrolled.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn roster(&self) -> Result<Option<RosterText>, KeyError> {
        match self.ask(&Request::Roster)? {
            Answer::Roster(text) => serde_json::from_slice(&text).map_err(unreadable),
            other => Err(unexpected(&Request::Roster, &other)),
        }
    }

    /// Has a dossier carried out.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`]; `Denied` where too few approved it.
    pub fn perform(&self, dossier: &Dossier) -> Result<Performed, KeyError> {
        let request = Request::Perform(serde_json::to_vec(dossier).map_err(unreadable)?);
        match self.ask(&request)? {
            Answer::Performed(text) => serde_json::from_slice(&text).map_err(unreadable),
            other => Err(unexpected(&request, &other)),
        }
    }

    fn ask(&self, request: &Request) -> Reply {
        let what = request.operation();
        let bytes = encode(request, what)?;
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match (self.call)(&bytes) {
                Ok(reply) => return decode_reply(reply, what),
                Err(error) => error,
            };
            let left = self.patience.saturating_sub(since.elapsed());
            if left.is_zero() || !may_come_back(error.kind()) {
                let detail = format!("the custodian cannot be reached: {error}");
                return Err(KeyError::new(
                    KeyErrorKind::Unreachable,
                    what.words(),
                    detail,
                ));
            }
            wait(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// True for what a custodian that is being restarted looks like. A deadline
/// that passed is none of it: the caller has waited already.
const fn may_come_back(kind: io::ErrorKind) -> bool {
    use io::ErrorKind;
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::Interrupted
            | ErrorKind::NotFound
    )
}

/// Waits without an event to wait for: the custodian is being restarted by
/// another process, and the next call is what tells that it is there.
fn wait(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "an error is mapped by what takes it"
)]
fn unreadable(error: serde_json::Error) -> KeyError {
    KeyError::new(KeyErrorKind::Data, "ask the custodian", error.to_string())
}

fn unexpected(request: &Request, answer: &Answer) -> KeyError {
    // Only the kinds are told: answers hold secrets.
    let kind = match answer {
        Answer::NewContentKey(..) | Answer::ContentKey(_) => "a content key",
        Answer::Wrapped(_) => "a wrapped key",
        Answer::Mac(_) => "a keyed digest",
        Answer::Random(_) => "random bytes of another number",
        Answer::LastCheckpoint { .. } | Answer::Checkpoint(_) => "a checkpoint",
        Answer::Signature(..) => "a signature",
        Answer::Agreed(_) => "an agreed secret",
        Answer::PublicKey(_) => "a public key",
        Answer::Keys(_) => "a list of keys",
        Answer::Status(_) => "a status",
        Answer::Cards(_) => "the register",
        Answer::Roster(_) => "the roster",
        Answer::Performed(_) => "what was done",
        Answer::Noted => "a receipt",
        Answer::LogHead(_) => "the head of its log",
        Answer::Capabilities(_) => "what the token can do",
    };
    let detail = format!("the custodian answered {kind} instead");
    KeyError::new(
        KeyErrorKind::Unreachable,
        request.operation().words(),
        detail,
    )
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    let (left, right) = signature.split_at_mut(32);
    left.copy_from_slice(&r);
    right.copy_from_slice(&s);
    signature
}

impl ContentKeys for CustodyClient {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let request = Request::NewContentKey(kek.clone());
        match self.ask(&request)? {
            Answer::NewContentKey(key, wrapped) => Ok((key, wrapped)),
            other => Err(unexpected(&request, &other)),
        }
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        let request = Request::UnwrapKey(wrapped.clone());
        match self.ask(&request)? {
            Answer::ContentKey(key) => Ok(key),
            other => Err(unexpected(&request, &other)),
        }
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        let request = Request::RewrapKey {
            wrapped: wrapped.clone(),
            to: to.clone(),
        };
        match self.ask(&request)? {
            Answer::Wrapped(wrapped) => Ok(wrapped),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl Macs for CustodyClient {
    fn mac(&self, usage: MacUse, data: &[u8]) -> Result<[u8; 32], KeyError> {
        self.digest(usage, None, data)
    }

    fn mac_of(&self, usage: MacUse, generation: u32, data: &[u8]) -> Result<[u8; 32], KeyError> {
        self.digest(usage, Some(generation), data)
    }
}

impl CustodyClient {
    fn digest(
        &self,
        usage: MacUse,
        generation: Option<u32>,
        data: &[u8],
    ) -> Result<[u8; 32], KeyError> {
        if data.len() > MAX_MAC_DATA {
            let detail = format!("at most {MAX_MAC_DATA} bytes go under one digest");
            return Err(KeyError::new(
                KeyErrorKind::Data,
                "compute a keyed digest",
                detail,
            ));
        }
        let request = Request::Mac {
            usage,
            generation,
            data: data.to_vec(),
        };
        match self.ask(&request)? {
            Answer::Mac(mac) => Ok(mac),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl Randomness for CustodyClient {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), KeyError> {
        for part in buffer.chunks_mut(MAX_RANDOM) {
            let request = Request::Random(u16::try_from(part.len()).unwrap_or(u16::MAX));
            match self.ask(&request)? {
                Answer::Random(bytes) if bytes.len() == part.len() => part.copy_from_slice(&bytes),
                other => return Err(unexpected(&request, &other)),
            }
        }
        Ok(())
    }
}

impl Checkpoints for CustodyClient {
    fn last_checkpoint(&self, origin: &str) -> Result<(u64, [u8; 32]), KeyError> {
        let request = Request::LastCheckpoint(origin.to_owned());
        match self.ask(&request)? {
            Answer::LastCheckpoint { size, root } => Ok((size, root)),
            other => Err(unexpected(&request, &other)),
        }
    }

    fn sign_checkpoint(&self, request: &CheckpointRequest) -> Result<SignedCheckpoint, KeyError> {
        let request = Request::SignCheckpoint(request.clone());
        match self.ask(&request)? {
            Answer::Checkpoint(signed) => Ok(signed),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl PgpSigning for CustodyClient {
    fn pgp_sign(&self, digest: &[u8]) -> Result<[u8; 64], KeyError> {
        let request = Request::PgpSign(digest.to_vec());
        match self.ask(&request)? {
            Answer::Signature(r, s) => Ok(joined(r, s)),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl PgpDecryption for CustodyClient {
    fn pgp_agree(&self, ephemeral: &[u8]) -> Result<SharedSecret, KeyError> {
        let request = Request::PgpAgree(ephemeral.to_vec());
        match self.ask(&request)? {
            Answer::Agreed(secret) => Ok(secret),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl TlsSigning for CustodyClient {
    fn tls_sign(&self, zone: DoorZone, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let request = Request::TlsSign {
            zone,
            message: message.to_vec(),
        };
        match self.ask(&request)? {
            Answer::Signature(r, s) => Ok(joined(r, s)),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl PublicKeys for CustodyClient {
    fn public_key(&self, role: &KeyRole) -> Result<Vec<u8>, KeyError> {
        let request = Request::PublicKey(role.clone());
        match self.ask(&request)? {
            Answer::PublicKey(point) => Ok(point),
            other => Err(unexpected(&request, &other)),
        }
    }
}

impl fmt::Debug for CustodyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustodyClient")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
