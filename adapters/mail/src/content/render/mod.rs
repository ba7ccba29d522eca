//! Rendering: a permitted delivery as mail, made anew from the typed message.
//!
//! Outside it says only that the gateway writes to the recipient; subject,
//! label, names and text are inside one OpenPGP message, signed by the gateway
//! and encrypted to this one recipient (RFC 3156, RFC 9788). The same view
//! gives the same content; ids come from the delivery, and only the
//! cryptography is random.

mod encode;
mod inner;
mod text;

use std::io::Write as _;

use chancery_hsm_api::{KeyError, PgpSigning};
use chancery_message::{Entropy, Timestamp};
use chancery_pipeline::view::DeliveryView;
use sequoia_openpgp::Cert;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::Preferences as _;
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::serialize::stream::{
    Armorer, Encryptor, LiteralWriter, Message, Recipient, Signer,
};
use sequoia_openpgp::types::{Features, SignatureType};
use zeroize::{Zeroize as _, Zeroizing};

use super::pgp::own::OwnCertificate;
use super::pgp::policy::{policy, system_time};
use super::pgp::registered::{self, CertificateError};
use super::pgp::token::{TokenSigner, Trouble};
use crate::address::Address;

/// What rendering needs beside the delivery.
#[derive(Clone, Copy)]
pub struct RenderContext<'a> {
    /// The gateway's own certificate.
    pub certificate: &'a OwnCertificate,
    /// Signatures with its key, in the token.
    pub signer: &'a dyn PgpSigning,
    /// The gateway's own address, which its certificate's user id names: the
    /// mail's `From`.
    pub own_address: &'a str,
    /// The mail domain in which participants are addressed (`id@domain`), for
    /// answers.
    pub domain: &'a str,
    /// The recipient's mail address.
    pub to: &'a str,
    /// The recipient's certificate, binary.
    pub recipient_certificate: &'a [u8],
    /// Now.
    pub now: Timestamp,
    /// Random bytes, for the session key.
    pub entropy: &'a dyn Entropy,
}

impl std::fmt::Debug for RenderContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderContext")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A delivery cannot be made into mail now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The recipient's certificate is not good for it: expired, revoked, weak,
    /// without encryption key.
    #[error("the recipient's certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// An address of the context.
    #[error("the {0} address is not one that mail can be sent with")]
    Address(&'static str),
    /// An attachment without its bytes.
    #[error("attachment {0} was given without its bytes")]
    Attachment(u32),
    /// The token could not sign; later may be better.
    #[error("the gateway's signature cannot be made: {0}")]
    Signing(KeyError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] chancery_message::EntropyError),
    /// The date is outside the calendar.
    #[error("the time is outside the years that mail can write")]
    Time,
    /// The OpenPGP library.
    #[error("the mail cannot be encrypted: {0}")]
    OpenPgp(String),
}

impl RenderError {
    /// True if the same delivery may be rendered later without anything's
    /// being changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Signing(error) => error.kind.is_transient(),
            Self::Entropy(_) => true,
            Self::Certificate(_)
            | Self::Address(_)
            | Self::Attachment(_)
            | Self::Time
            | Self::OpenPgp(_) => false,
        }
    }
}

/// Renders a delivery as one mail with CRLF line ends, ready to be sent.
///
/// # Errors
/// [`RenderError`]: nothing leaves.
pub fn render(view: &DeliveryView, context: &RenderContext<'_>) -> Result<Vec<u8>, RenderError> {
    let to = Address::parse(context.to, false).map_err(|_| RenderError::Address("recipient's"))?;
    let from = Address::parse(context.own_address, false)
        .map_err(|_| RenderError::Address("gateway's own"))?;
    let reply_to = format!("{}@{}", view.from.id, context.domain);
    let reply_to = Address::parse(&reply_to, false).map_err(|_| RenderError::Address("reply"))?;
    let recipient = registered::parse(context.recipient_certificate)?;
    let keys = registered::encryption_keys(&recipient, context.now)?;
    let date = encode::date(view.sent_at).ok_or(RenderError::Time)?;
    // What both the outer and the protected header say.
    let outer = [
        ("Date", date),
        ("From", format!("Chancery <{from}>")),
        ("To", format!("<{to}>")),
        ("Subject", "[...]".to_owned()),
        (
            "Message-ID",
            format!("<{}@{}>", view.delivery, context.domain),
        ),
    ];
    let inner = inner::entity(view, &outer, &from, &reply_to, context.domain)?;
    let armored = seal(&inner, &recipient, &keys, context)?;
    let boundary = format!("=_o-{}", view.delivery);
    let mut mail = Vec::with_capacity(armored.len() + armored.len() / 32 + 1024);
    for (name, value) in &outer {
        mail.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    mail.extend_from_slice(
        format!(
            "Auto-Submitted: no\r\nMIME-Version: 1.0\r\nContent-Type: multipart/encrypted;\r\n \
             protocol=\"application/pgp-encrypted\";\r\n boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
             --{boundary}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
             Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"
        )
        .as_bytes(),
    );
    for line in armored.split(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(mail)
}

/// Signs and encrypts the inner entity: one OpenPGP message, armored.
fn seal(
    inner: &[u8],
    recipient: &Cert,
    keys: &[usize],
    context: &RenderContext<'_>,
) -> Result<Vec<u8>, RenderError> {
    let mut random = Zeroizing::new([0u8; 32]);
    context.entropy.fill(random.as_mut_slice())?;
    let trouble = Trouble::default();
    let signer = TokenSigner {
        key: context.certificate.signing().clone(),
        token: context.signer,
        trouble: trouble.clone(),
    };
    let mut armored = Vec::with_capacity(inner.len() / 2 * 3 + 1024);
    let session_key = SessionKey::from(random.to_vec());
    random.zeroize();
    match write(
        &mut armored,
        inner,
        session_key,
        recipient,
        keys,
        signer,
        context.now,
    ) {
        Ok(()) => Ok(armored),
        Err(error) => Err(trouble.take().map_or_else(
            || {
                RenderError::OpenPgp(
                    error
                        .to_string()
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(200)
                        .collect(),
                )
            },
            RenderError::Signing,
        )),
    }
}

fn write(
    sink: &mut Vec<u8>,
    inner: &[u8],
    session_key: SessionKey,
    recipient: &Cert,
    keys: &[usize],
    signer: TokenSigner<'_>,
    now: Timestamp,
) -> sequoia_openpgp::Result<()> {
    // SEIPDv2 only for those that say they read it (RFC 9580 section 13.7);
    // GnuPG 2.2 reads SEIPDv1 alone.
    let policy = policy(now);
    let valid = recipient.with_policy(&policy, system_time(now))?;
    let features = match valid.features() {
        Some(features) if features.supports_seipdv2() => features,
        _ => Features::empty().set_seipdv1(),
    };
    let all: Vec<_> = recipient.keys().collect();
    let recipients = keys.iter().filter_map(|place| all.get(*place)).map(|key| {
        let key = key.key();
        Recipient::new(features.clone(), key.key_handle(), key)
    });
    let message = Armorer::new(Message::new(sink))
        .kind(Kind::Message)
        .build()?;
    let message = Encryptor::with_session_key(message, registered::CIPHER, session_key)?
        .add_recipients(recipients)
        .build()?;
    let template = SignatureBuilder::new(SignatureType::Binary);
    let message = Signer::with_template(message, signer, template)?
        .hash_algo(registered::DIGEST)?
        .creation_time(system_time(now))
        .add_intended_recipient(recipient)
        .build()?;
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(inner)?;
    message.finalize()
}
