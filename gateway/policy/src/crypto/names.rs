//! The names of algorithms that the policy may use: what this gateway's doors,
//! relay connections, OpenPGP and tokens can meet. Others are refused by name.

/// What an algorithm is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// Key agreement of a TLS session (IANA TLS Supported Groups).
    TlsGroup,
    /// Signature by which a TLS peer proves its certificate (IANA TLS
    /// SignatureScheme; of RSA with the least size of the key).
    TlsSignature,
    /// Key of an OpenPGP certificate that a message is encrypted to.
    OpenPgpEncryption,
    /// Key of an OpenPGP certificate that signs.
    OpenPgpSigning,
    /// Cipher of an OpenPGP message.
    OpenPgpSymmetric,
    /// Digest of an OpenPGP signature.
    OpenPgpHash,
    /// How a content key is wrapped under a KEK of the token.
    KeyWrap,
}

/// TLS groups that exchange a post-quantum and a classical secret together.
const HYBRID_GROUPS: &[&str] = &["X25519MLKEM768", "secp256r1MLKEM768"];
/// OpenPGP keys of RFC 9980 that do the same.
const HYBRID_KEYS: &[&str] = &["mlkem768-x25519", "mlkem1024-x448"];

impl Use {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TlsGroup,
        Self::TlsSignature,
        Self::OpenPgpEncryption,
        Self::OpenPgpSigning,
        Self::OpenPgpSymmetric,
        Self::OpenPgpHash,
        Self::KeyWrap,
    ];

    /// What it is, in words for refusals.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TlsGroup => "the session's key exchange",
            Self::TlsSignature => "the key of the session's certificate",
            Self::OpenPgpEncryption => "the OpenPGP key that it is encrypted to",
            Self::OpenPgpSigning => "the OpenPGP key that signs it",
            Self::OpenPgpSymmetric => "the OpenPGP cipher",
            Self::OpenPgpHash => "the digest of the OpenPGP signature",
            Self::KeyWrap => "the token's way of wrapping keys",
        }
    }

    /// The names that may stand in the policy.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::TlsGroup => &[
                "X25519MLKEM768",
                "secp256r1MLKEM768",
                "X25519",
                "secp256r1",
                "secp384r1",
            ],
            Self::TlsSignature => &[
                "ecdsa_secp256r1_sha256",
                "ecdsa_secp384r1_sha384",
                "ecdsa_secp521r1_sha512",
                "ed25519",
                "rsa_pss-2048",
                "rsa_pss-3072",
                "rsa_pss-4096",
            ],
            Self::OpenPgpEncryption => &[
                "rsa2048",
                "rsa3072",
                "rsa4096",
                "p256",
                "p384",
                "p521",
                "cv25519",
                "x25519",
                "x448",
                "mlkem768-x25519",
                "mlkem1024-x448",
            ],
            Self::OpenPgpSigning => &[
                "rsa2048",
                "rsa3072",
                "rsa4096",
                "p256",
                "p384",
                "p521",
                "ed25519",
                "ed448",
                "mldsa65-ed25519",
                "mldsa87-ed448",
            ],
            Self::OpenPgpSymmetric => &["aes128", "aes192", "aes256"],
            Self::OpenPgpHash => &["sha256", "sha384", "sha512", "sha3-256", "sha3-512"],
            Self::KeyWrap => &["aes-kw", "aes-kwp", "aes-gcm", "rsa-oaep-sha1"],
        }
    }

    /// Whether an algorithm of this use is a hybrid of a post-quantum and a
    /// classical one. Uses that agree on no secret with a peer need none.
    #[must_use]
    pub fn is_hybrid(self, name: &str) -> bool {
        match self {
            Self::TlsGroup => HYBRID_GROUPS.contains(&name),
            Self::OpenPgpEncryption => HYBRID_KEYS.contains(&name),
            Self::TlsSignature
            | Self::OpenPgpSigning
            | Self::OpenPgpSymmetric
            | Self::OpenPgpHash
            | Self::KeyWrap => true,
        }
    }
}
