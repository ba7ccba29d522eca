//! The OpenAPI 3.1 document, made from the types that read and write.

use utoipa::OpenApi;
use utoipa::openapi::InfoBuilder;

use super::request::{LabelSchema, NationalMarkingSchema};
use crate::wire::routes;

#[derive(OpenApi)]
#[openapi(
    paths(
        routes::send,
        routes::check,
        routes::reply,
        routes::forward,
        routes::status,
        routes::withdraw,
        routes::upload,
        routes::recipients,
        routes::inbox,
        routes::fetch,
        routes::fetch_attachment,
        routes::acknowledge,
        routes::consents,
        routes::grant_consent,
        routes::refuse_consent,
        routes::openapi,
    ),
    components(schemas(LabelSchema, NationalMarkingSchema)),
    servers((url = "/api/v1", description = "this gateway, over mutual TLS 1.3")),
    tags(
        (name = "messages", description = "Sending, and what became of it"),
        (name = "inbox", description = "Receiving: list, fetch, acknowledge"),
        (name = "consent", description = "Onward releases of the caller's information"),
        (name = "directory", description = "Whom one may write to, and this document"),
    )
)]
struct Document;

/// The document as served: a committed copy, so that a change of the interface
/// shows in a review. A test holds it equal to [`openapi`].
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// The document as the types say it, in a canonical form.
#[must_use]
pub fn openapi() -> String {
    let mut document = Document::openapi();
    document.info = InfoBuilder::new()
        .title("Chancery REST interface")
        .version("1.0.0")
        .description(Some(
            "Send and receive classified messages. The caller is who its client certificate says; \
             every refusal is a problem document (RFC 9457) whose `type` is stable.",
        ))
        .build();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
