//! JSON in and out: pure functions of their arguments.
//!
//! - [`read`]: the bytes of a submission → [`Parsed`](chancery_message::Parsed);
//! - [`reply`]: an [`Outcome`](chancery_pipeline::outcome::Outcome) → what
//!   goes back;
//! - [`openapi`]: the description of both, made from the same types.

mod answer;
mod deliver;
mod openapi;
mod problem;
mod read;
mod reply;
mod request;
mod strict;

/// The types that the routes name in the OpenAPI document.
pub(crate) mod schemas {
    use super::{answer, problem};

    pub(crate) use super::answer::{AcknowledgedAnswer, RawBytes};
    pub(crate) use super::request::SubmissionRequest;
    pub(crate) type ConsentAnswer = answer::ConsentAnswer<'static>;
    pub(crate) type ConsentsAnswer = answer::ConsentsAnswer<'static>;
    pub(crate) type DeliveryAnswer = answer::DeliveryAnswer<'static>;
    pub(crate) type InboxAnswer = answer::InboxAnswer<'static>;
    pub(crate) type ProblemAnswer = problem::ProblemAnswer<'static>;
    pub(crate) type RecipientsAnswer = answer::RecipientsAnswer<'static>;
    pub(crate) type StatusAnswer = answer::StatusAnswer<'static>;
    pub(crate) type Taken = answer::Taken<'static>;
    pub(crate) type UploadAnswer = answer::UploadAnswer<'static>;
    pub(crate) type VerdictsAnswer = answer::VerdictsAnswer<'static>;
}

pub use openapi::{OPENAPI, openapi};
pub use problem::{Problem, problem};
pub use read::{MAX_REQUEST_BYTES, read};
pub use reply::{attachment, reply};
