//! Refusals as problem details (RFC 9457).

use bytes::Bytes;
pub use chancery_http::Fault as Problem;
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

/// The class in words.
const fn title(problem: Problem) -> &'static str {
    match problem {
        Problem::Gateway(kind) => match kind {
            RefusalKind::Malformed => "the request cannot be read",
            RefusalKind::Invalid => "a field has a value that it may not have",
            RefusalKind::TooLarge => "too large",
            RefusalKind::Unauthenticated => "no identity was proven",
            RefusalKind::UnknownSender => "the caller may not use this channel",
            RefusalKind::UnknownRecipient => "a recipient is not known",
            RefusalKind::BadLabel => "the label cannot be read",
            RefusalKind::NoLabel => "there is no label",
            RefusalKind::LabelAboveChannel => "the label is above this channel",
            RefusalKind::WeakProtection => {
                "the cryptography that carries it is not allowed for its label"
            }
            RefusalKind::BadSignature => "the signature proves nothing",
            RefusalKind::Replayed => "the message came before",
            RefusalKind::KeyReused => "the idempotency key was used for another request",
            RefusalKind::NotFound => "not found",
            RefusalKind::NotNow => "not possible in this state",
            RefusalKind::Denied => "the rules do not allow it",
            RefusalKind::Busy => "too much at once",
            RefusalKind::Unavailable => "the gateway cannot do it now",
        },
        Problem::BadRequest => "the request is not well formed",
        Problem::MethodNotAllowed => "the method does not exist here",
        Problem::NotAcceptable => "no acceptable media type",
        Problem::TooSlow => "the request came too slowly",
        Problem::UnsupportedMediaType => "the body's media type or encoding is not taken",
        Problem::Misdirected => "another host is meant",
        Problem::Internal => "a fault of the gateway",
    }
}

/// A refusal as it goes back. `detail` says what is wrong without content;
/// `instance` is an opaque id that the log has too.
#[must_use]
pub fn problem(problem: Problem, detail: &str, instance: Option<&str>) -> Reply {
    let answer = ProblemAnswer {
        kind: format!("urn:chancery:problem:{}", problem.name()),
        title: title(problem),
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
