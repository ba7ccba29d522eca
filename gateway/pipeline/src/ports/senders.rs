//! What a mail reader must know of senders.

/// The certificates could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender's certificates cannot be had: {0}")]
pub struct SendersError(pub String);

/// The OpenPGP certificates that the directory registers for an address.
pub trait SenderCertificates: Send + Sync {
    /// Binary certificates (RFC 9580 transferable public keys); none for an
    /// address that the directory does not know.
    ///
    /// # Errors
    /// When core cannot be asked.
    fn certificates_for(&self, address: &str) -> Result<Vec<Vec<u8>>, SendersError>;
}

/// Reads by which algorithms a mail to a certificate would be protected.
pub trait CertificateAlgorithms: Send + Sync + std::fmt::Debug {
    /// The keys that a mail to this registered certificate (armored or binary)
    /// would be encrypted to now, and what the gateway itself would sign and
    /// encrypt with; none where mail cannot be encrypted to it.
    fn algorithms(
        &self,
        certificate: &[u8],
        now: chancery_message::Timestamp,
    ) -> Option<chancery_message::ContentProtection>;
}
