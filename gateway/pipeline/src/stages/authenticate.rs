//! Station 3: who sent it. Identity comes from channel credentials and
//! registered keys, never from message text.

use std::sync::Arc;

use chancery_message::{
    Channel, Inbound, SignatureEvidence, Submission, Timestamp, TransportEvidence,
};

use crate::outcome::{Refusal, RefusalKind};
use crate::rules::{Rules, Sender};

/// What the evidence proves.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// This participant, by this proof.
    As {
        /// The sender.
        sender: Arc<Sender>,
        /// How it was proven, for the record.
        proof: String,
    },
    /// Nobody: kept for an officer (mail), with the reason.
    Nobody {
        /// Why, in words that may be recorded and shown.
        reason: &'static str,
    },
}

/// The participant behind a door's peer, by its client certificate.
///
/// # Errors
/// [`RefusalKind::Unauthenticated`] without a certificate,
/// [`RefusalKind::UnknownSender`] for one that is not registered, of a
/// suspended participant, or not for this channel: all get the same words.
pub fn by_certificate(
    rules: &Rules,
    peer: &chancery_message::PeerEvidence,
    now: Timestamp,
) -> Result<Arc<Sender>, Refusal> {
    let TransportEvidence::MutualTls { certificate, .. } = &peer.transport else {
        return Err(Refusal::new(
            RefusalKind::Unauthenticated,
            "a registered client certificate is required",
        ));
    };
    rules
        .by_certificate(peer.channel, &certificate.fingerprint, now)
        .ok_or_else(|| {
            Refusal::new(
                RefusalKind::UnknownSender,
                "this certificate is not registered for this channel",
            )
        })
}

/// The sender of a submission.
///
/// # Errors
/// As [`by_certificate`]; for mail [`RefusalKind::BadSignature`] where a
/// signature is there and proves nothing, or proves another than the sender.
pub fn authenticate(
    rules: &Rules,
    inbound: &Inbound,
    submission: &Submission,
    now: Timestamp,
) -> Result<Authenticated, Refusal> {
    if inbound.peer.channel != Channel::Mail {
        return Ok(Authenticated::As {
            sender: by_certificate(rules, &inbound.peer, now)?,
            proof: "client certificate".to_owned(),
        });
    }
    let sender = submission
        .claimed_sender
        .as_deref()
        .and_then(|address| rules.by_address(address, now));
    match (&submission.signature, sender) {
        (SignatureEvidence::Absent, _) => Ok(Authenticated::Nobody {
            reason: "the mail carries no signature",
        }),
        (_, None) => Ok(Authenticated::Nobody {
            reason: "the sender's address is not registered",
        }),
        (SignatureEvidence::Bad { .. }, Some(_)) => Err(Refusal::new(
            RefusalKind::BadSignature,
            "the signature does not prove the registered sender",
        )),
        (SignatureEvidence::Good { fingerprint, .. }, Some(sender)) => {
            // The reader was given the registered certificates; core compares
            // what it says with the directory all the same.
            if rules.has_openpgp_key(&sender, fingerprint, now) {
                Ok(Authenticated::As {
                    sender,
                    proof: format!("OpenPGP signature {fingerprint}"),
                })
            } else {
                Err(Refusal::new(
                    RefusalKind::BadSignature,
                    "the signature is by a key that is not registered for the sender",
                ))
            }
        }
    }
}
