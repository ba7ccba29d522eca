//! How an identity was proven. A name never travels without it.

use serde::{Deserialize, Serialize};

use crate::{Channel, Timestamp};

/// What a door knows of the peer that handed it a message. Only the door makes
/// one; what the message says of its sender is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerEvidence {
    /// The door's channel.
    pub channel: Channel,
    /// What the transport proved.
    pub transport: TransportEvidence,
    /// Where the connection came from (`address:port`, or `local`), for the record only.
    pub address: String,
}

/// What the transport proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransportEvidence {
    /// Mutual TLS: the peer holds the key of this certificate, which chains to
    /// the door's client CA and is not revoked.
    MutualTls {
        /// The peer's certificate.
        certificate: CertificateEvidence,
        /// The negotiated key exchange group, for example `X25519MLKEM768`.
        group: String,
    },
    /// TLS without a client certificate: privacy, no identity.
    ServerTls {
        /// The negotiated key exchange group.
        group: String,
    },
    /// A local mail server handed it over (LMTP): no identity.
    Local,
}

/// What a verified client certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEvidence {
    /// SHA-256 of the DER certificate.
    pub fingerprint: [u8; 32],
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki: [u8; 32],
    /// Its end of validity.
    pub not_after: Timestamp,
    /// The kind of its key, as TLS names the signature that it makes, of RSA
    /// with the size: `ecdsa_secp256r1_sha256`, `rsa_pss-3072`.
    pub key: String,
}

/// By which algorithms OpenPGP protected the content, under the names of the
/// cryptographic policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentProtection {
    /// The keys that it is encrypted to.
    pub encryption: Vec<String>,
    /// The keys that sign it.
    pub signing: Vec<String>,
    /// The cipher; none where it is not encrypted.
    pub symmetric: Option<String>,
    /// The digest of the signature; none where it is not signed.
    pub hash: Option<String>,
}

/// What was found of a signature over the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureEvidence {
    /// The content carries none.
    Absent,
    /// One good signature by this certificate, which was among those registered
    /// for the claimed sender.
    Good {
        /// Fingerprint of the certificate's primary key, upper-case hexadecimal.
        fingerprint: String,
        /// When it was made, as it says.
        signed_at: Timestamp,
    },
    /// There is one that proves nothing.
    Bad {
        /// Why, in words that may be recorded.
        reason: String,
    },
}
