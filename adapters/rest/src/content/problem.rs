//! Refusals as problem details (RFC 9457).

use bytes::Bytes;
use chancery_pipeline::outcome::RefusalKind;
use chancery_pipeline::ports::{Reply, ReplyBody};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused. `type` is stable: programs may branch on it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemAnswer<'a> {
    /// `urn:chancery:problem:` and the name of the class.
    #[serde(rename = "type")]
    #[schema(
        pattern = "^urn:chancery:problem:[a-z-]+$",
        example = "urn:chancery:problem:unknown-recipient"
    )]
    kind: String,
    /// The class in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, where, by which rule. Never content.
    detail: &'a str,
    /// What to quote to the gateway's operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
}

/// A class of refusal: those of the gateway, and those that only the HTTP
/// framing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
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

impl Problem {
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

    /// The stable name: the last part of `type`, and the reason in the record.
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

    const fn title(self) -> &'static str {
        match self {
            Self::Gateway(kind) => match kind {
                RefusalKind::Malformed => "the request cannot be read",
                RefusalKind::Invalid => "a field has a value that it may not have",
                RefusalKind::TooLarge => "too large",
                RefusalKind::Unauthenticated => "no identity was proven",
                RefusalKind::UnknownSender => "the caller may not use this channel",
                RefusalKind::UnknownRecipient => "a recipient is not known",
                RefusalKind::BadLabel => "the label cannot be read",
                RefusalKind::NoLabel => "there is no label",
                RefusalKind::LabelAboveChannel => "the label is above this channel",
                RefusalKind::BadSignature => "the signature proves nothing",
                RefusalKind::Replayed => "the message came before",
                RefusalKind::KeyReused => "the idempotency key was used for another request",
                RefusalKind::NotFound => "not found",
                RefusalKind::NotNow => "not possible in this state",
                RefusalKind::Denied => "the rules do not allow it",
                RefusalKind::Busy => "too much at once",
                RefusalKind::Unavailable => "the gateway cannot do it now",
            },
            Self::BadRequest => "the request is not well formed",
            Self::MethodNotAllowed => "the method does not exist here",
            Self::NotAcceptable => "no acceptable media type",
            Self::TooSlow => "the request came too slowly",
            Self::UnsupportedMediaType => "the body's media type or encoding is not taken",
            Self::Misdirected => "another host is meant",
            Self::Internal => "a fault of the gateway",
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
pub fn problem(problem: Problem, detail: &str, instance: Option<&str>) -> Reply {
    let answer = ProblemAnswer {
        kind: format!("urn:chancery:problem:{}", problem.name()),
        title: problem.title(),
        status: problem.status(),
        detail,
        instance,
    };
    let mut headers = Vec::new();
    if problem.is_transient() {
        headers.push(("retry-after".to_owned(), "1".to_owned()));
    }
    Reply {
        status: problem.status(),
        content_type: "application/problem+json".to_owned(),
        headers,
        // A map of strings and a number always serializes.
        body: ReplyBody::Whole(
            serde_json::to_vec(&answer)
                .map(Bytes::from)
                .unwrap_or_default(),
        ),
        per_recipient: Vec::new(),
    }
}
