//! Opening an encrypted message. Nothing of the plaintext is used before the
//! end of the message was reached and its integrity proven.

use std::io::Read as _;

use chancery_hsm_api::{KeyErrorKind, PgpDecryption};
use chancery_message::Timestamp;
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::crypto::mpi::Ciphertext;
use sequoia_openpgp::packet::header::BodyLength;
use sequoia_openpgp::packet::{PKESK, SKESK, Tag};
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::parse::{PacketParser, Parse as _};
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{Cert, Error, KeyHandle, Result};
use zeroize::Zeroizing;

use super::algorithm;
use super::framing;
use super::own::OwnCertificate;
use super::policy::{SKEW, policy, system_time};
use super::token::{TokenDecryptor, Trouble};
use super::verify::{Sender, Verified, judge};
use super::{
    GROWTH_FLOOR, MAX_AGREEMENTS, MAX_GROWTH, MAX_PACKETS, MAX_PLAINTEXT, MAX_SESSION_KEYS,
};
use crate::content::fault::{Fault, Read, rule};

/// Sequoia zeroes this much for every message, and buffers it before it gives
/// anything out: as large as small messages are.
const BUFFER: usize = 64 * 1024;

/// What was in an encrypted message.
pub(crate) struct Opened {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) verified: Verified,
    /// The keys that it is encrypted to, and its cipher.
    pub(crate) encryption: Vec<String>,
    pub(crate) symmetric: Option<String>,
}

/// Opens a binary OpenPGP message.
pub(crate) fn open(
    message: &[u8],
    own: &OwnCertificate,
    token: &dyn PgpDecryption,
    sender: &Sender<'_>,
    now: Timestamp,
) -> Read<Opened> {
    framing::check(message)?;
    let policy = policy(now);
    let trouble = Trouble::default();
    let refused = std::cell::RefCell::new(None);
    let helper = Opening {
        own,
        token,
        sender,
        now,
        trouble: trouble.clone(),
        refused: &refused,
        session_keys: 0,
        containers: 0,
        compressed: 0,
        others: 0,
        signed: false,
        verified: None,
        recipients: Vec::new(),
        symmetric: None,
    };
    let limit = MAX_PLAINTEXT.min(message.len().saturating_mul(MAX_GROWTH).max(GROWTH_FLOOR));
    let latest = system_time(now.after(SKEW));
    let mut plaintext = Zeroizing::new(Vec::new());
    let opened = DecryptorBuilder::from_bytes(message)
        .and_then(|builder| {
            builder
                .buffer_size(BUFFER)
                .with_policy(&policy, latest, helper)
        })
        .and_then(|mut decryptor| {
            // Grown in one go, so that no copy of the plaintext stays behind.
            plaintext.reserve_exact(limit.min(message.len().saturating_mul(2)));
            let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            (&mut decryptor).take(most).read_to_end(&mut plaintext)?;
            if plaintext.len() > limit {
                *refused.borrow_mut() = Some(TOO_LARGE);
                return Err(Error::InvalidOperation(TOO_LARGE.to_owned()).into());
            }
            if !decryptor.message_processed() {
                return Err(Error::InvalidOperation("not at its end".to_owned()).into());
            }
            Ok(decryptor.into_helper())
        });
    sender.check()?;
    // Only a wrong point is the message's fault; all else is the custody's.
    if let Some(error) = trouble.take()
        && error.kind != KeyErrorKind::Data
    {
        return Err(Fault::Unavailable(error.to_string()));
    }
    match opened {
        Ok(Opening {
            verified: Some(verified),
            recipients,
            symmetric,
            ..
        }) => Ok(Opened {
            plaintext,
            verified,
            encryption: recipients,
            symmetric,
        }),
        Ok(_) | Err(_) => {
            // One answer for everything that needed the key: no oracle.
            let what = refused
                .take()
                .unwrap_or("the encrypted part cannot be opened with this gateway's key");
            Err(Fault::malformed(what, rule::OPENPGP))
        }
    }
}

const TOO_LARGE: &str = "the encrypted part grows beyond the limit when opened";

struct Opening<'a> {
    own: &'a OwnCertificate,
    token: &'a dyn PgpDecryption,
    sender: &'a Sender<'a>,
    now: Timestamp,
    trouble: Trouble,
    refused: &'a std::cell::RefCell<Option<&'static str>>,
    session_keys: usize,
    containers: usize,
    compressed: usize,
    others: usize,
    signed: bool,
    verified: Option<Verified>,
    recipients: Vec<String>,
    symmetric: Option<String>,
}

impl Opening<'_> {
    fn refuse(&self, what: &'static str) -> Result<()> {
        *self.refused.borrow_mut() = Some(what);
        Err(Error::MalformedMessage(what.to_owned()).into())
    }
}

impl VerificationHelper for Opening<'_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> Result<()> {
        let endless = matches!(packet.header().length(), BodyLength::Indeterminate);
        match packet.packet.tag() {
            Tag::SKESK => return self.refuse("a message under a password is not accepted"),
            Tag::SED => {
                return self.refuse("encryption without integrity protection is not accepted");
            }
            Tag::AED => {
                return self
                    .refuse("this form of authenticated encryption is not accepted; use RFC 9580");
            }
            Tag::PKESK => {
                self.session_keys += 1;
                if self.session_keys > MAX_SESSION_KEYS {
                    return self.refuse("the message has more than 100 encrypted session keys");
                }
            }
            Tag::SEIP => {
                self.containers += 1;
                if self.containers > 1 || endless {
                    return self.refuse("the message is encrypted twice, or has no length");
                }
            }
            Tag::CompressedData => {
                self.compressed += 1;
                if self.compressed > 1 {
                    return self.refuse("the message is compressed more than once");
                }
            }
            _ => {
                self.others += 1;
                self.signed |= matches!(packet.packet.tag(), Tag::OnePassSig | Tag::Signature);
                if self.others > MAX_PACKETS {
                    return self.refuse("the message has too many packets");
                }
                // What is not encrypted is not looked at.
                if self.containers == 0 && packet.packet.tag() != Tag::Marker {
                    return self.refuse("the OpenPGP part is not encrypted");
                }
            }
        }
        Ok(())
    }

    fn get_certs(&mut self, _ids: &[KeyHandle]) -> Result<Vec<Cert>> {
        // For an unsigned message nobody is asked.
        if self.signed {
            self.sender.certs()
        } else {
            Ok(Vec::new())
        }
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> Result<()> {
        let mut group = None;
        let mut encrypted = false;
        for (index, layer) in structure.into_iter().enumerate() {
            match layer {
                MessageLayer::Encryption { sym_algo, .. } if index == 0 => {
                    encrypted = true;
                    self.symmetric = Some(algorithm::cipher(sym_algo));
                }
                MessageLayer::Compression { .. } if encrypted => {}
                MessageLayer::SignatureGroup { results } if encrypted && group.is_none() => {
                    group = Some(judge(&results, self.now));
                }
                MessageLayer::SignatureGroup { .. } if encrypted => {
                    group = Some(Verified::bad("there is more than one signature"));
                }
                MessageLayer::Encryption { .. }
                | MessageLayer::Compression { .. }
                | MessageLayer::SignatureGroup { .. } => {
                    return self.refuse("the OpenPGP part is not encrypted as a whole");
                }
            }
        }
        if !encrypted {
            return self.refuse("the OpenPGP part is not encrypted");
        }
        self.verified = Some(group.unwrap_or_else(Verified::absent));
        Ok(())
    }
}

impl DecryptionHelper for Opening<'_> {
    fn decrypt(
        &mut self,
        session_keys: &[PKESK],
        _passwords: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> Result<Option<Cert>> {
        let key = self.own.encryption();
        // Whoever else can open it counts too.
        self.recipients = session_keys.iter().map(algorithm::recipient).collect();
        let mut decryptor = TokenDecryptor {
            key: key.clone(),
            token: self.token,
            trouble: self.trouble.clone(),
        };
        // Those for our key first, then those that hide their recipient.
        let is_candidate = |session_key: &&PKESK| match session_key.esk() {
            Ciphertext::ECDH { e, .. } => e.value().len() == 65 && e.value().first() == Some(&4),
            _ => false,
        };
        let named = session_keys.iter().filter(|one| {
            one.recipient()
                .is_some_and(|handle| handle.aliases(key.key_handle()))
        });
        let hidden = session_keys.iter().filter(|one| one.recipient().is_none());
        for session_key in named
            .chain(hidden)
            .filter(is_candidate)
            .take(MAX_AGREEMENTS)
        {
            let opened = session_key
                .decrypt(&mut decryptor, algorithm)
                .is_some_and(|(algorithm, session_key)| decrypt(algorithm, &session_key));
            if opened {
                return Ok(Some(self.own.cert().clone()));
            }
        }
        Err(Error::MissingSessionKey("none for this key".to_owned()).into())
    }
}
