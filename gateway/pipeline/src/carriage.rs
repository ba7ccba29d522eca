//! What may carry a message as the cryptographic policy says: the doors' own
//! sessions, the relay's, a partner's OpenPGP certificate.

use chancery_label::{Label, Level};
use chancery_message::{Channel, ContentProtection, ParticipantId, Timestamp};
use chancery_policy::crypto::{self, Use};

use crate::protocol::RelaySession;
use crate::rules::Rules;

// === impl Rules ===

impl Rules {
    /// By which algorithms a mail to this participant would be protected; none
    /// where there is no certificate, or nothing that reads it.
    fn mail_algorithms(&self, id: &ParticipantId, now: Timestamp) -> Option<ContentProtection> {
        let certificate = self.openpgp_certificate_of(id, now)?;
        self.certificates()?.algorithms(&certificate, now)
    }

    /// What a session with the relay must have to carry a mail of this label.
    #[must_use]
    pub fn relay_session(&self, label: &Label, now: Timestamp) -> RelaySession {
        let crypto = self.crypto();
        let need = crypto.need(label);
        RelaySession {
            groups: crypto
                .allowed(Use::TlsGroup, need, now)
                .map(str::to_owned)
                .collect(),
            tls13: crypto.version(crypto::TlsVersion::V12, need).is_err(),
        }
    }

    /// Whether a mail of this label may be encrypted to that certificate.
    ///
    /// # Errors
    /// [`crypto::NotAllowed`].
    pub fn may_encrypt(
        &self,
        used: &ContentProtection,
        label: &Label,
        now: Timestamp,
    ) -> Result<(), crypto::NotAllowed> {
        let crypto = self.crypto();
        crypto.openpgp(&openpgp(used), crypto.need(label), now)
    }

    /// The highest level that the cryptography of a way allows now: of doors by
    /// what they offer (which session fetches it is looked at then), of mail by
    /// the recipient's certificate and what the relay is offered.
    pub(crate) fn carried(
        &self,
        recipient: &ParticipantId,
        channel: Option<Channel>,
        label: &Label,
        now: Timestamp,
    ) -> Level {
        let crypto = self.crypto();
        let hybrid = crypto.need(label).hybrid;
        let group = |need| crypto.allowed(Use::TlsGroup, need, now).next().is_some();
        match channel {
            None => Level::TopSecret,
            Some(Channel::Rest | Channel::Siena) => crypto.ceiling(hybrid, |need| {
                group(need)
                    && crypto
                        .allows(Use::TlsSignature, DOOR_KEY, need, now)
                        .is_ok()
            }),
            Some(Channel::Mail) => {
                let used = self.mail_algorithms(recipient, now);
                crypto.ceiling(hybrid, |need| {
                    group(need)
                        && used
                            .as_ref()
                            .is_none_or(|used| crypto.openpgp(&openpgp(used), need, now).is_ok())
                })
            }
        }
    }
}

/// The key of the doors' certificates: theirs are on the curve P-256 alone.
const DOOR_KEY: &str = "ecdsa_secp256r1_sha256";

/// What was seen of OpenPGP, as the policy is asked about it.
pub(crate) fn openpgp(used: &ContentProtection) -> crypto::OpenPgp<'_> {
    crypto::OpenPgp {
        encryption: &used.encryption,
        signing: &used.signing,
        symmetric: used.symmetric.as_deref(),
        hash: used.hash.as_deref(),
    }
}
