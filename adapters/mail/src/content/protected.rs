//! Header protection (RFC 9788, and the older `protected-headers="v1"`): what
//! the sender put inside wins; where inside and outside name different people
//! or messages, somebody changed the outside.

use super::fault::{Fault, Read, rule};
use super::mime::address;
use super::mime::entity::Entity;
use crate::address::Address;

/// The header fields that count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merged<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) cc: Option<&'a str>,
    pub(crate) in_reply_to: Option<&'a str>,
    pub(crate) references: Option<&'a str>,
    pub(crate) precedence: Option<&'a str>,
    pub(crate) message_id: Option<&'a str>,
    /// Whether `To` and `Cc` are the protected ones.
    pub(crate) recipients_protected: bool,
    /// Whether the Message-ID is the protected one.
    pub(crate) id_protected: bool,
}

/// Takes the fields of the inner part, and of the outer message where the
/// inner part has none.
pub(crate) fn merge<'a>(
    outer: &'a Entity<'_>,
    inner: &'a Entity<'_>,
    encrypted: bool,
    sender: &Address,
) -> Read<Merged<'a>> {
    let differs = |what: &str| Fault::suspicious(what, rule::HEADERS);
    let hp = inner.content_type.get("hp").map(str::to_ascii_lowercase);
    match (hp.as_deref(), encrypted) {
        (None, _) | (Some("cipher"), true) | (Some("clear"), false) => {}
        _ => {
            return Err(differs(
                "the header protection is not the one that the mail says",
            ));
        }
    }
    if let Some(from) = inner.headers.one("from")?
        && address::one("From", from)?.to_lowercase() != sender.to_lowercase()
    {
        return Err(differs("the protected From is not the outer one"));
    }
    let id = inner.headers.one("message-id")?;
    let outer_id = outer.headers.one("message-id")?;
    if id.is_some() && id != outer_id {
        return Err(differs("the protected Message-ID is not the outer one"));
    }
    let to = inner.headers.one("to")?;
    let cc = inner.headers.one("cc")?;
    let recipients_protected = to.is_some() || cc.is_some();
    let either = |name: &str| -> Read<Option<&'a str>> {
        Ok(inner.headers.one(name)?.or(outer.headers.one(name)?))
    };
    Ok(Merged {
        subject: either("subject")?,
        to: if recipients_protected {
            to
        } else {
            outer.headers.one("to")?
        },
        cc: if recipients_protected {
            cc
        } else {
            outer.headers.one("cc")?
        },
        in_reply_to: either("in-reply-to")?,
        references: either("references")?,
        precedence: either("mmhs-primary-precedence")?,
        message_id: id.or(outer_id),
        recipients_protected,
        id_protected: id.is_some(),
    })
}
