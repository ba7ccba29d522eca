//! Refusals as XML.

use bytes::Bytes;
pub use chancery_http::Fault;
use chancery_pipeline::ports::{Reply, ReplyBody};

use super::write::Writer;

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
