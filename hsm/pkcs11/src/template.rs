//! What each key may do: set when it is made, checked whenever it is looked up.

use chancery_hsm_api::{KeyRole, WrapScheme};
use cryptoki::error::Error;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::Quirks;

/// P-256 as an object identifier in DER (1.2.840.10045.3.1.7).
pub(crate) const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The one thing that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Wraps and unwraps content keys by that scheme, nothing else: AES-256, or
    /// RSA-3072 where nothing better is there.
    Wrap(WrapScheme),
    /// HMAC-SHA-256.
    Mac,
    /// ECDSA P-256.
    Sign,
    /// ECDH P-256.
    Agree,
}

/// Bits of an RSA key that wraps: as strong as AES-128 (NIST SP 800-57 part 1, table 2).
const RSA_BITS: u64 = 3072;
/// Its length in bytes, which is that of what it wraps.
pub(crate) const RSA_BYTES: usize = 384;

impl Purpose {
    /// What the keys of a role are for, if they wrap by `scheme` where they wrap.
    pub(crate) const fn of(role: &KeyRole, scheme: WrapScheme) -> Self {
        match role {
            KeyRole::Kek(_) => Self::Wrap(scheme),
            KeyRole::Mac(_) => Self::Mac,
            KeyRole::AuditCheckpoint | KeyRole::PgpSign | KeyRole::Tls(_) => Self::Sign,
            KeyRole::PgpDecrypt => Self::Agree,
        }
    }

    pub(crate) const fn is_pair(self) -> bool {
        matches!(
            self,
            Self::Sign | Self::Agree | Self::Wrap(WrapScheme::RsaOaepSha1)
        )
    }

    pub(crate) const fn class(self) -> ObjectClass {
        if self.is_pair() {
            ObjectClass::PRIVATE_KEY
        } else {
            ObjectClass::SECRET_KEY
        }
    }

    const fn key_type(self) -> KeyType {
        match self {
            Self::Wrap(WrapScheme::RsaOaepSha1) => KeyType::RSA,
            Self::Wrap(_) => KeyType::AES,
            Self::Mac => KeyType::GENERIC_SECRET,
            Self::Sign | Self::Agree => KeyType::EC,
        }
    }

    /// How a key of this purpose is made.
    pub(crate) const fn generation(self) -> Mechanism<'static> {
        match self {
            Self::Wrap(WrapScheme::RsaOaepSha1) => Mechanism::RsaPkcsKeyPairGen,
            Self::Wrap(_) => Mechanism::AesKeyGen,
            Self::Mac => Mechanism::GenericSecretKeyGen,
            Self::Sign | Self::Agree => Mechanism::EccKeyPairGen,
        }
    }

    /// The only mechanism that may use it.
    pub(crate) const fn mechanism(self) -> MechanismType {
        match self {
            Self::Wrap(WrapScheme::AesKw) => MechanismType::AES_KEY_WRAP,
            Self::Wrap(WrapScheme::AesKwp) => MechanismType::AES_KEY_WRAP_PAD,
            Self::Wrap(WrapScheme::AesGcm) => MechanismType::AES_GCM,
            Self::Wrap(WrapScheme::RsaOaepSha1) => MechanismType::RSA_PKCS_OAEP,
            Self::Mac => MechanismType::SHA256_HMAC,
            Self::Sign => MechanismType::ECDSA,
            Self::Agree => MechanismType::ECDH1_DERIVE,
        }
    }

    /// True for AES keys that wrap by `C_WrapKey`.
    const fn wraps(self) -> bool {
        matches!(self, Self::Wrap(WrapScheme::AesKw | WrapScheme::AesKwp))
    }

    /// True for AES keys that wrap by `C_Encrypt`.
    const fn encrypts(self) -> bool {
        matches!(self, Self::Wrap(WrapScheme::AesGcm))
    }

    /// What the key may do and may not, one flag each.
    fn usage(self) -> Vec<Attribute> {
        let decrypts = self.encrypts() || matches!(self, Self::Wrap(WrapScheme::RsaOaepSha1));
        let mut flags = vec![
            Attribute::Decrypt(decrypts),
            Attribute::Sign(matches!(self, Self::Mac | Self::Sign)),
            Attribute::Unwrap(self.wraps()),
            Attribute::Derive(self == Self::Agree),
        ];
        if !self.is_pair() {
            flags.extend([
                Attribute::Encrypt(self.encrypts()),
                Attribute::Verify(false),
                Attribute::Wrap(self.wraps()),
            ]);
        }
        flags
    }
}

/// The template of the private or secret key.
pub(crate) fn hidden_half(purpose: Purpose, label: &str, quirks: Quirks) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(crate::names::id(label)),
    ];
    if !purpose.is_pair() {
        template.push(Attribute::ValueLen(32.into()));
    }
    template.extend(purpose.usage());
    template.extend(optional(purpose, quirks));
    template
}

/// What not every token knows. Without the ban on copies, a copy of the key
/// gets what rights its maker asks for.
fn optional(purpose: Purpose, quirks: Quirks) -> impl Iterator<Item = Attribute> {
    let copies = quirks.copyable.then_some(Attribute::Copyable(false));
    let mechanisms = quirks
        .allowed_mechanisms
        .then(|| Attribute::AllowedMechanisms(vec![purpose.mechanism()]));
    copies.into_iter().chain(mechanisms)
}

/// The template of the public key.
pub(crate) fn public_half(purpose: Purpose, label: &str) -> Vec<Attribute> {
    let is_rsa = purpose.key_type() == KeyType::RSA;
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Verify(purpose == Purpose::Sign),
        Attribute::Encrypt(is_rsa),
        Attribute::Wrap(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(crate::names::id(label)),
    ];
    if is_rsa {
        template.extend([
            Attribute::ModulusBits(RSA_BITS.into()),
            Attribute::PublicExponent(vec![1, 0, 1]),
        ]);
    } else {
        template.push(Attribute::EcParams(P256.to_vec()));
    }
    template
}

/// The template by which content keys enter the token for the length of one call.
pub(crate) fn content_key(extra: impl IntoIterator<Item = Attribute>) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    template.extend(extra);
    template
}

/// What is wrong with a private or secret key: an attribute that is not as it
/// was set, or that the token does not tell. None if all is well.
pub(crate) fn what_is_wrong(
    session: &Session,
    key: ObjectHandle,
    purpose: Purpose,
    quirks: Quirks,
) -> Result<Option<String>, Error> {
    let mut wanted = vec![
        Attribute::Class(purpose.class()),
        Attribute::KeyType(purpose.key_type()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
        Attribute::Modifiable(false),
    ];
    wanted.extend(purpose.usage());
    match purpose {
        Purpose::Sign | Purpose::Agree => wanted.push(Attribute::EcParams(P256.to_vec())),
        Purpose::Wrap(WrapScheme::RsaOaepSha1) => {
            if !is_long_enough(session, key)? {
                return Ok(Some("it is no RSA key of 3072 bits".to_owned()));
            }
        }
        Purpose::Wrap(_) | Purpose::Mac => wanted.push(Attribute::ValueLen(32.into())),
    }
    wanted.extend(optional(purpose, quirks));
    let types: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
    let found = session.get_attributes(key, &types)?;
    for wanted in wanted {
        let kind = wanted.attribute_type();
        match found.iter().find(|found| found.attribute_type() == kind) {
            Some(found) if *found == wanted => {}
            Some(_) => return Ok(Some(format!("its {kind:?} is not {}", plain(&wanted)))),
            None => return Ok(Some(format!("the token does not tell its {kind:?}"))),
        }
    }
    Ok(None)
}

fn is_long_enough(session: &Session, key: ObjectHandle) -> Result<bool, Error> {
    let told = session.get_attributes(key, &[AttributeType::Modulus])?;
    Ok(matches!(told.as_slice(), [Attribute::Modulus(bytes)] if bytes.len() == RSA_BYTES))
}

/// A flag's value, or that it is something longer.
fn plain(attribute: &Attribute) -> &'static str {
    match format!("{attribute:?}").as_str() {
        text if text.ends_with("(true)") => "true",
        text if text.ends_with("(false)") => "false",
        _ => "what it was made with",
    }
}
