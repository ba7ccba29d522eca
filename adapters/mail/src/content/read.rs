//! Reading: received bytes to a submission. [`read`] tells the way.

use std::collections::BTreeSet;

use chancery_hsm_api::PgpDecryption;
use chancery_label::{Level, Tlp};
use chancery_message::{
    AssertedLabel, ContentProtection, Inbound, Intent, Operation, Parsed, RecipientRole,
    RequestedRecipient, Submission, Text, Timestamp,
};
use chancery_pipeline::ports::SenderCertificates;

use super::fault::{Fault, Read, rule};
use super::mime::entity::{self, Entity};
use super::mime::{MAX_HOPS, address, agree, date, header};
use super::outer::{Shape, shape};
use super::pgp::own::OwnCertificate;
use super::pgp::verify::{self, Sender, Verified};
use super::pgp::{armor, open};
use super::{fields, label, parts, protected};
use crate::address::Address;

/// What reading needs beside the bytes.
#[derive(Clone, Copy)]
pub struct ReadKeys<'a> {
    /// The gateway's own certificate.
    pub certificate: &'a OwnCertificate,
    /// Key agreement with its encryption key, in the token.
    pub decrypt: &'a dyn PgpDecryption,
    /// The certificates that the directory registers for senders.
    pub senders: &'a dyn SenderCertificates,
    /// Now.
    pub now: Timestamp,
    /// The gateway's mail domains, lower case: envelope recipients elsewhere
    /// are refused here too.
    pub domains: &'a [String],
}

impl std::fmt::Debug for ReadKeys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadKeys")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Keys or directory could not be asked: the message was not judged, and the
/// peer may send it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read now: {0}")]
pub struct Unavailable(pub String);

/// Reads one message.
///
/// What comes out is whole, malformed (refused) or suspicious (kept for an
/// officer): mail without OpenPGP, or with protection that covers something
/// else than the whole content, is suspicious. A signature that is absent or
/// proves nothing is evidence in a whole submission, judged by core.
///
/// # Errors
/// [`Unavailable`] when the token or the directory cannot be asked.
pub fn read(inbound: &Inbound, raw: &[u8], keys: &ReadKeys<'_>) -> Result<Parsed, Unavailable> {
    match submission(inbound, raw, keys) {
        Ok(submission) => Ok(Parsed::Whole(Box::new(submission))),
        Err(fault) => fault.into_parsed().map_err(Unavailable),
    }
}

fn submission(inbound: &Inbound, raw: &[u8], keys: &ReadKeys<'_>) -> Read<Submission> {
    // 1. The outside: strict mail, two parsers of one mind.
    header::check_lines(raw)?;
    let outer = entity::parse(raw)?;
    let sender = check_outside(&outer)?;
    let envelope = envelope(inbound, keys.domains)?;
    agree::agree(raw, &outer)?;
    // 2. The protection: the whole content, by OpenPGP, once.
    let claimed = sender.to_lowercase();
    let registered = Sender::new(&claimed, keys.senders);
    let (octets, verified, mut protection) = match shape(&outer)? {
        Shape::Encrypted(part) => {
            let message = armor::open(&part.decoded()?, sequoia_openpgp::armor::Kind::Message)?;
            let opened = open::open(
                &message,
                keys.certificate,
                keys.decrypt,
                &registered,
                keys.now,
            )?;
            let protection = ContentProtection {
                encryption: opened.encryption,
                symmetric: opened.symmetric,
                ..ContentProtection::default()
            };
            (opened.plaintext, opened.verified, protection)
        }
        Shape::Signed { content, signature } => {
            let signature = armor::open(
                &signature.decoded()?,
                sequoia_openpgp::armor::Kind::Signature,
            )?;
            let verified = verify::detached(
                &signature,
                content.raw,
                keys.certificate,
                &registered,
                keys.now,
            )?;
            (
                content.raw.to_vec().into(),
                verified,
                ContentProtection::default(),
            )
        }
    };
    let encrypted = protection.symmetric.is_some();
    // 3. The inside: the same strictness.
    header::check_lines(&octets)?;
    let whole = entity::parse(&octets)?;
    agree::agree(&octets, &whole)?;
    let (inner, verified) = signed_inside(&whole, verified, &registered, keys)?;
    let headers = protected::merge(&outer, inner, encrypted, &sender)?;
    let found = parts::collect(inner, keys.now)?;
    let subject = fields::subject(headers.subject)?;
    let read = label::assert(inner, &found.body, keys.now)?;
    label::check_outside(&outer, inner, &read.label)?;
    let public =
        is_public(&read.label) && found.attachments.iter().all(|one| is_public(&one.label));
    if !encrypted && !public {
        return Err(Fault::suspicious(
            "content that is not public came unencrypted",
            rule::PROTECTION,
        ));
    }
    if let Some((key, hash)) = verified.made_with.clone() {
        protection.signing = vec![key];
        protection.hash = Some(hash);
    }
    // 4. The submission.
    Ok(Submission {
        intent: match &inbound.operation {
            Operation::Check => Intent::Check,
            Operation::Send | Operation::Reply { .. } | Operation::Forward { .. } => Intent::Send,
        },
        claimed_sender: Some(claimed),
        recipients: recipients(envelope, &headers)?,
        subject: Text::new(subject),
        body: Text::new(read.body),
        attachments: found.attachments,
        label: read.label,
        precedence: fields::precedence(&headers)?,
        purpose: fields::purpose(inner)?,
        personal_data: fields::personal_data(inner)?,
        originator: fields::originator(inner)?,
        derived_from: fields::derived_from(inner)?,
        reference: fields::reference(inner)?,
        in_reply_to: fields::in_reply_to(&headers)?,
        evaluation: fields::evaluation(inner)?,
        external_id: Some(fields::external_id(&headers, &verified)?),
        signature: verified.evidence,
        protection: Some(protection),
        siena: None,
    })
}

/// The header that every mail must have; answers the one sender.
fn check_outside(outer: &Entity<'_>) -> Read<Address> {
    let headers = &outer.headers;
    let sender = address::one("From", headers.needed("from")?)?;
    date::check(headers.needed("date")?)?;
    fields::message_id(headers.needed("message-id")?)?;
    let version = headers.needed("mime-version")?;
    if version.split('(').next().map(str::trim) != Some("1.0") {
        return Err(Fault::malformed(
            "a MIME-Version other than 1.0",
            "RFC 2045 section 4",
        ));
    }
    for name in [
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "subject",
        "in-reply-to",
        "references",
    ] {
        headers.one(name)?;
    }
    for name in ["sender", "reply-to", "to", "cc"] {
        if let Some(value) = headers.one(name)? {
            address::list(name, value)?;
        }
    }
    if headers.all("received").count() > MAX_HOPS {
        return Err(Fault::malformed(
            "more than 100 hops: a loop",
            "RFC 5321 section 6.3",
        ));
    }
    Ok(sender)
}

/// RFC 3156 section 6.1: encrypted, and inside it a signed part. The signature
/// covers all of the content, or it counts for nothing.
fn signed_inside<'t, 'a>(
    whole: &'t Entity<'a>,
    verified: Verified,
    sender: &Sender<'_>,
    keys: &ReadKeys<'_>,
) -> Read<(&'t Entity<'a>, Verified)> {
    if whole.content_type.value != "multipart/signed" {
        return Ok((whole, verified));
    }
    if verified != Verified::absent() {
        return Err(Fault::suspicious(
            "a signed part inside a signed message",
            rule::PROTECTION,
        ));
    }
    match shape(whole)? {
        Shape::Signed { content, signature } => {
            let signature = armor::open(
                &signature.decoded()?,
                sequoia_openpgp::armor::Kind::Signature,
            )?;
            let verified =
                verify::detached(&signature, content.raw, keys.certificate, sender, keys.now)?;
            Ok((content, verified))
        }
        Shape::Encrypted(_) => Err(Fault::suspicious("encrypted twice", rule::PROTECTION)),
    }
}

/// The envelope's recipients: addresses in the gateway's own domains.
fn envelope(inbound: &Inbound, domains: &[String]) -> Read<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for text in &inbound.envelope_to {
        let address = Address::parse(text, false)
            .ok()
            .filter(|address| domains.contains(&address.domain().to_ascii_lowercase()))
            .ok_or_else(|| {
                Fault::malformed(
                    "an envelope recipient that is not of this gateway",
                    "RFC 5321",
                )
            })?;
        let name = address.to_lowercase();
        if seen.insert(name.clone()) {
            all.push(name);
        }
    }
    if all.is_empty() || all.len() > chancery_message::MAX_RECIPIENTS {
        return Err(Fault::malformed(
            "no envelope recipient, or more than 100",
            rule::LIMITS,
        ));
    }
    Ok(all)
}

/// The envelope's recipients with their roles. Where the sender protected the
/// list of recipients, nobody else may be in the envelope: whoever carried
/// the message could have put him there.
fn recipients(
    envelope: Vec<String>,
    headers: &protected::Merged<'_>,
) -> Read<Vec<RequestedRecipient>> {
    let of = |name: &'static str, value: Option<&str>| -> Read<BTreeSet<String>> {
        let all = value.map_or(Ok(Vec::new()), |value| address::list(name, value))?;
        Ok(all.iter().map(Address::to_lowercase).collect())
    };
    let to = of("To", headers.to)?;
    let copy = of("Cc", headers.cc)?;
    envelope
        .into_iter()
        .map(|name| {
            let role = if copy.contains(&name) && !to.contains(&name) {
                RecipientRole::Copy
            } else if headers.recipients_protected && !to.contains(&name) {
                return Err(Fault::suspicious(
                    "an envelope recipient whom the protected header does not name",
                    rule::HEADERS,
                ));
            } else {
                RecipientRole::To
            };
            Ok(RequestedRecipient { name, role })
        })
        .collect()
}

/// Whether mail that anybody could read on its way may carry it.
fn is_public(label: &AssertedLabel) -> bool {
    match label {
        AssertedLabel::Absent => true,
        AssertedLabel::Valid { label, .. } => {
            label.level == Level::Nc
                && label.caveats.is_empty()
                && label.releasable_to.is_empty()
                && label.handling.is_empty()
                && label.national.is_none()
                && label.tlp.is_none_or(|tlp| tlp == Tlp::Clear)
        }
        AssertedLabel::Invalid { .. } => false,
    }
}
