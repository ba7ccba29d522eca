//! What a signature proves: that one of the certificates registered for the
//! sender made it, with a key that may sign, then and now.

use std::sync::Mutex;

use chancery_message::{SignatureEvidence, Timestamp};
use chancery_pipeline::ports::SenderCertificates;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::parse::stream::{
    DetachedVerifierBuilder, GoodChecksum, MessageLayer, MessageStructure, VerificationError,
    VerificationHelper, VerificationResult,
};
use sequoia_openpgp::types::{RevocationStatus, SignatureType};
use sequoia_openpgp::{Cert, Error, KeyHandle, Result};

use super::algorithm;
use super::own::OwnCertificate;
use super::policy::{SKEW, policy, system_time, timestamp};
use super::registered;
use crate::content::fault::{Fault, Read};

/// What was found of a signature, and the digest that it signs: unlike the
/// signature's octets the digest cannot be changed by others, so that it tells
/// a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) evidence: SignatureEvidence,
    pub(crate) digest: Option<Vec<u8>>,
    /// The key and the digest's algorithm of a good signature.
    pub(crate) made_with: Option<(String, String)>,
}

impl Verified {
    pub(crate) const fn absent() -> Self {
        Self {
            evidence: SignatureEvidence::Absent,
            digest: None,
            made_with: None,
        }
    }

    pub(crate) fn bad(reason: &str) -> Self {
        Self {
            evidence: SignatureEvidence::Bad {
                reason: reason.to_owned(),
            },
            digest: None,
            made_with: None,
        }
    }
}

/// The sender's registered certificates, asked for once, when a signature
/// needs them.
pub(crate) struct Sender<'a> {
    pub(crate) address: &'a str,
    pub(crate) senders: &'a dyn SenderCertificates,
    pub(crate) unavailable: Mutex<Option<String>>,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(address: &'a str, senders: &'a dyn SenderCertificates) -> Self {
        Self {
            address,
            senders,
            unavailable: Mutex::new(None),
        }
    }

    /// Those that can be read; a broken one counts as not registered.
    pub(crate) fn certs(&self) -> Result<Vec<Cert>> {
        match self.senders.certificates_for(self.address) {
            Ok(all) => Ok(all
                .iter()
                .filter_map(|bytes| registered::parse(bytes).ok())
                .collect()),
            Err(error) => {
                if let Ok(mut unavailable) = self.unavailable.lock() {
                    *unavailable = Some(error.to_string());
                }
                Err(Error::InvalidOperation("directory".to_owned()).into())
            }
        }
    }

    /// Turns a failure of the directory into the fault that it is.
    pub(crate) fn check(&self) -> Read<()> {
        match self.unavailable.lock() {
            Ok(mut why) => why
                .take()
                .map_or(Ok(()), |why| Err(Fault::Unavailable(why))),
            Err(_) => Ok(()),
        }
    }
}

/// Judges the signatures of one group: exactly one, and good.
pub(crate) fn judge(results: &[VerificationResult<'_>], now: Timestamp) -> Verified {
    match results {
        [] => Verified::absent(),
        [one] => match one {
            Ok(good) => judge_good(good, now),
            Err(error) => Verified::bad(reason(error)),
        },
        _ => Verified::bad("there is more than one signature"),
    }
}

fn judge_good(good: &GoodChecksum<'_>, now: Timestamp) -> Verified {
    if !matches!(good.sig.typ(), SignatureType::Binary | SignatureType::Text) {
        return Verified::bad("it is not a signature over a document");
    }
    // Sequoia judged the key as of the signature's time; it must be good at
    // receipt too: a key that was revoked or has expired since proves nothing.
    let cert = good.ka.cert();
    if registered::check(cert, now).is_err() {
        return Verified::bad("the sender's certificate is expired or revoked now");
    }
    let policy = policy(now);
    let alive = cert
        .keys()
        .key_handle(good.ka.key().key_handle())
        .filter_map(|key| key.with_policy(&policy, system_time(now)).ok())
        .any(|key| {
            key.alive().is_ok()
                && !matches!(key.revocation_status(), RevocationStatus::Revoked(_))
                && key.for_signing()
        });
    if !alive {
        return Verified::bad("the signing key is expired or revoked now");
    }
    let Some(signed_at) = good.sig.signature_creation_time() else {
        return Verified::bad("the signature has no time");
    };
    Verified {
        evidence: SignatureEvidence::Good {
            fingerprint: cert.fingerprint().to_hex(),
            signed_at: timestamp(signed_at),
        },
        digest: good.sig.computed_digest().map(<[u8]>::to_vec),
        made_with: Some((
            algorithm::key(good.ka.key()),
            algorithm::hash(good.sig.hash_algo()),
        )),
    }
}

/// Why, in words that may be recorded.
fn reason(error: &VerificationError<'_>) -> &'static str {
    match error {
        VerificationError::MissingKey { .. } => {
            "it was not made with a key registered for the sender"
        }
        VerificationError::UnboundKey { .. } => {
            "the signing key was not validly bound to the sender's certificate when it signed"
        }
        VerificationError::BadKey { ka, .. } => {
            if ka.alive().is_err() || ka.valid_cert().alive().is_err() {
                "the signing key was expired, or not valid yet, when it signed"
            } else if ka.for_signing() {
                "the signing key is revoked"
            } else {
                "the key may not sign"
            }
        }
        VerificationError::BadSignature { error, .. } => match error.downcast_ref::<Error>() {
            Some(Error::NotYetLive(_)) => "the signature is dated in the future",
            Some(Error::Expired(_)) => "the signature is expired",
            Some(Error::PolicyViolation(..)) => "the signature's algorithms are too weak",
            _ => "the signature does not fit the content or this recipient",
        },
        VerificationError::MalformedSignature { .. }
        | VerificationError::UnknownSignature { .. } => {
            "the signature cannot be read, or has algorithms that are not supported"
        }
        _ => "the signature is not good",
    }
}

/// Verifies a detached signature over `signed` (RFC 3156 section 5).
pub(crate) fn detached(
    signature: &[u8],
    signed: &[u8],
    own: &OwnCertificate,
    sender: &Sender<'_>,
    now: Timestamp,
) -> Read<Verified> {
    let policy = policy(now);
    let helper = Detached {
        own,
        sender,
        now,
        verified: None,
    };
    let latest = system_time(now.after(SKEW));
    let verified = DetachedVerifierBuilder::from_bytes(signature)
        .and_then(|builder| builder.with_policy(&policy, latest, helper))
        .and_then(|mut verifier| {
            verifier.verify_bytes(signed)?;
            Ok(verifier.into_helper().verified)
        });
    sender.check()?;
    Ok(match verified {
        Ok(Some(verified)) => verified,
        Ok(None) | Err(_) => Verified::bad("the signature cannot be read"),
    })
}

struct Detached<'a> {
    own: &'a OwnCertificate,
    sender: &'a Sender<'a>,
    now: Timestamp,
    verified: Option<Verified>,
}

impl VerificationHelper for Detached<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> Result<Vec<Cert>> {
        self.sender.certs()
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> Result<()> {
        let mut layers = structure.into_iter();
        let verified = match (layers.next(), layers.next()) {
            (Some(MessageLayer::SignatureGroup { results }), None) => {
                let ours = self.own.cert().fingerprint();
                let others = results.iter().flatten().any(|good| {
                    let mut intended = good.sig.intended_recipients().peekable();
                    intended.peek().is_some() && !intended.any(|recipient| *recipient == ours)
                });
                if others {
                    Verified::bad("the signature is meant for other recipients")
                } else {
                    judge(&results, self.now)
                }
            }
            _ => Verified::bad("it is not one signature"),
        };
        self.verified = Some(verified);
        Ok(())
    }
}
