//! Classes of refusals.

use chancery_pipeline::outcome::RefusalKind;

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
    /// The caller accepts none of the media types that there are.
    NotAcceptable,
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
            Self::NotAcceptable,
            Self::TooSlow,
            Self::UnsupportedMediaType,
            Self::Misdirected,
            Self::Internal,
        ])
    }

    /// The stable name, in the answer and in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway(kind) => kind.name(),
            Self::BadRequest => "bad-request",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
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
            Self::NotAcceptable => 406,
            Self::TooSlow => 408,
            Self::UnsupportedMediaType => 415,
            Self::Misdirected => 421,
            Self::Internal => 500,
        }
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Gateway(RefusalKind::Busy | RefusalKind::Unavailable)
        )
    }
}
