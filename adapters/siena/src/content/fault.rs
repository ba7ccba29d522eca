//! Refusals as XML.

use bytes::Bytes;
use chancery_pipeline::outcome::RefusalKind;
use chancery_pipeline::ports::{Reply, ReplyBody};

use super::write::Writer;

/// A class of refusal: those of the gateway, and those that only the HTTP
/// framing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The gateway's own.
    Gateway(RefusalKind),
    /// The request's framing is wrong: path, query, header fields.
    BadRequest,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request's body did not come in time.
    TooSlow,
    /// The request's body is of a media type or encoding that is not taken.
    UnsupportedMediaType,
    /// Meant for another host than the one that the connection was made to.
    Misdirected,
    /// A fault of the gateway: nothing is known of what became of the request.
    Internal,
}

impl Fault {
    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        RefusalKind::ALL.into_iter().map(Self::Gateway).chain([
            Self::BadRequest,
            Self::MethodNotAllowed,
            Self::TooSlow,
            Self::UnsupportedMediaType,
            Self::Misdirected,
            Self::Internal,
        ])
    }

    /// The stable name: the fault's `code`, and the reason in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway(kind) => kind.name(),
            Self::BadRequest => "bad-request",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooSlow => "too-slow",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Misdirected => "misdirected",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Gateway(kind) => kind.http_status(),
            Self::BadRequest => 400,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::UnsupportedMediaType => 415,
            Self::Misdirected => 421,
            Self::Internal => 500,
        }
    }

    /// Whether the same request may succeed a moment later.
    const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Gateway(RefusalKind::Busy | RefusalKind::Unavailable)
        )
    }
}

/// A refusal as it goes back. `detail` says what is wrong without content;
/// `instance` is an opaque id that the log has too.
#[must_use]
pub fn fault(fault: Fault, detail: &str, instance: Option<&str>) -> Reply {
    let document = Writer::document("fault", &[("code", fault.name())], |xml| {
        xml.text("detail", detail);
        xml.optional("instance", instance);
    });
    let mut reply = xml(fault.status(), document);
    if fault.is_transient() {
        reply
            .headers
            .push(("retry-after".to_owned(), "1".to_owned()));
    }
    reply
}

/// A document as a reply.
pub(super) fn xml(status: u16, document: String) -> Reply {
    Reply {
        status,
        content_type: "application/xml; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from(document)),
        per_recipient: Vec::new(),
    }
}
