//! The port to key custody: what may be asked of the keys, in the words of
//! roles. Nothing here knows PKCS#11, and nobody who uses it learns a private
//! key, a PIN or a handle.
//!
//! Every capability is a trait of its own, so that a function's signature says
//! what it can do with keys. All calls are synchronous and may block up to the
//! client's deadline.
#![forbid(unsafe_code)]

pub mod approval;
pub mod durable;
mod error;
mod inventory;
mod kek;
mod life;
mod role;
mod secret;
mod tls;

pub use error::{KeyError, KeyErrorKind};
pub use inventory::{Capability, Inventory, KeyInfo, TokenHealth};
pub use kek::{Compartment, InvalidCompartment, InvalidKek, KekId, WrapScheme, WrappedKey};
pub use life::KeyLife;
pub use role::{DoorZone, KeyRole, MacUse, UnknownRole};
pub use secret::{ContentKey, SharedSecret, wipe_stack};
pub use tls::is_certificate_verify;

/// Content keys: made, wrapped and unwrapped under a KEK that never leaves the token.
pub trait ContentKeys: Send + Sync {
    /// A fresh content key from the token's randomness, and the same wrapped under `kek`.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] when no such KEK was provisioned; others as in [`KeyErrorKind`].
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError>;

    /// The content key inside `wrapped`.
    ///
    /// # Errors
    /// [`KeyErrorKind::Data`] when the blob was changed or is of another KEK.
    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError>;

    /// The same content key under another KEK, without its leaving the custodian.
    ///
    /// # Errors
    /// As [`ContentKeys::unwrap_key`] and [`ContentKeys::new_content_key`].
    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError>;
}

/// Keyed digests (HMAC-SHA-256) under keys that stay in the token.
pub trait Macs: Send + Sync {
    /// HMAC-SHA-256 of `data` under the key of that use.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    fn mac(&self, usage: MacUse, data: &[u8]) -> Result<[u8; 32], KeyError>;

    /// The same under one generation of that key: what was computed before a
    /// rotation is found and checked again with the generation that made it.
    ///
    /// # Errors
    /// As [`Macs::mac`]; [`KeyErrorKind::Unknown`] where only the first is kept.
    fn mac_of(&self, usage: MacUse, generation: u32, data: &[u8]) -> Result<[u8; 32], KeyError> {
        if generation == 1 {
            return self.mac(usage, data);
        }
        let detail = "only the first generation is kept here";
        Err(KeyError::new(
            KeyErrorKind::Unknown,
            "compute a keyed digest",
            detail,
        ))
    }
}

/// Random bytes, token and system mixed.
pub trait Randomness: Send + Sync {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`]; on an error the content of `buffer` is not random.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), KeyError>;
}

/// What the custodian needs to extend the log it has signed so far.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    /// The log's origin line (C2SP tlog-checkpoint), for example `chancery/node-1`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root hash over them.
    pub root: [u8; 32],
    /// RFC 6962 consistency proof from the last size that the custodian
    /// signed (as [`Checkpoints::last_checkpoint`] tells); empty for the first.
    pub consistency: Vec<[u8; 32]>,
}

/// A checkpoint that the custodian built and signed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCheckpoint {
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: [u8; 32],
    /// The signed note, text and signature lines (C2SP signed-note; ECDSA
    /// P-256 over SHA-256, signature type 0x02).
    pub note: String,
}

/// The audit log's checkpoints. The custodian builds the text itself and signs
/// only what extends what it signed before.
pub trait Checkpoints: Send + Sync {
    /// Size and root of the last checkpoint signed for `origin`; size 0 before the first.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    fn last_checkpoint(&self, origin: &str) -> Result<(u64, [u8; 32]), KeyError>;

    /// Signs the next one.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] when it is not consistent with the last one signed.
    fn sign_checkpoint(&self, request: &CheckpointRequest) -> Result<SignedCheckpoint, KeyError>;
}

/// The token's side of [`Checkpoints`]: only the custodian's checkpoint book
/// calls it, with a text that it built itself.
pub trait NoteSigning: Send + Sync {
    /// ECDSA P-256 over the SHA-256 of a note's text: `r || s`, 64 bytes.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// Signatures with the gateway's own OpenPGP key (ECDSA P-256), for core alone.
pub trait PgpSigning: Send + Sync {
    /// ECDSA over a SHA-256, SHA-384 or SHA-512 digest (truncated to the curve's
    /// size, FIPS 186-5 section 6.4.1): `r || s`, 64 bytes.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    fn pgp_sign(&self, digest: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// Key agreement with the gateway's own OpenPGP encryption key (ECDH P-256),
/// for the mail reader alone.
pub trait PgpDecryption: Send + Sync {
    /// The shared secret with the sender's ephemeral point (uncompressed SEC 1, 65 bytes).
    ///
    /// # Errors
    /// [`KeyErrorKind::Data`] for a point that is not on the curve.
    fn pgp_agree(&self, ephemeral: &[u8]) -> Result<SharedSecret, KeyError>;
}

/// TLS server (and client) signatures with a door's own certificate key (ECDSA P-256).
pub trait TlsSigning: Send + Sync {
    /// Signs a TLS 1.3 CertificateVerify content (RFC 8446 section 4.4.3): 64
    /// spaces, the context string, a zero byte, the transcript hash. Anything
    /// else is refused. The answer is the ECDSA signature, `r || s`, 64 bytes.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] when `message` has not that form.
    fn tls_sign(&self, zone: DoorZone, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// The public halves.
pub trait PublicKeys: Send + Sync {
    /// The public key of an asymmetric role: uncompressed SEC 1 point of P-256, 65 bytes.
    ///
    /// # Errors
    /// [`KeyErrorKind::Unknown`] for a role without a key pair.
    fn public_key(&self, role: &KeyRole) -> Result<Vec<u8>, KeyError>;
}

/// All that a custodian's server asks of its token.
pub trait KeyStore:
    ContentKeys
    + Macs
    + Randomness
    + NoteSigning
    + PgpSigning
    + PgpDecryption
    + TlsSigning
    + PublicKeys
    + Inventory
    + KeyLife
{
}

impl<T> KeyStore for T where
    T: ContentKeys
        + Macs
        + Randomness
        + NoteSigning
        + PgpSigning
        + PgpDecryption
        + TlsSigning
        + PublicKeys
        + Inventory
        + KeyLife
{
}
