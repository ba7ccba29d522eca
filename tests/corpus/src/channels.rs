//! Submissions of partner systems: JSON and XML.

use std::collections::BTreeSet;

use chancery_label::{Label, ReadOptions};
use chancery_message::{
    Channel, Inbound, MAX_ATTACHMENTS, MAX_BODY_BYTES, MAX_RECIPIENTS, MAX_SUBJECT_BYTES,
    Operation, Parsed, PeerEvidence, Submission, TransportEvidence,
};
use chancery_pipeline::stages::label::label;
use time::macros::date;

/// What the door says of the peer.
fn inbound(channel: Channel) -> Inbound {
    Inbound {
        peer: PeerEvidence {
            channel,
            transport: TransportEvidence::Local,
            address: "local".to_owned(),
        },
        operation: Operation::Send,
        idempotency_key: None,
        envelope_to: Vec::new(),
        envelope_from: None,
    }
}

/// What no submission exceeds.
fn bounded(submission: &Submission) {
    assert!((1..=MAX_RECIPIENTS).contains(&submission.recipients.len()));
    assert!(submission.attachments.len() <= MAX_ATTACHMENTS);
    assert!(submission.subject.expose().len() <= MAX_SUBJECT_BYTES);
    assert!(submission.body.expose().len() <= MAX_BODY_BYTES);
}

/// The label of the whole is above that of each part in all but what two
/// limits that share nobody leave to an officer.
fn covered(submission: &Submission) {
    let options = ReadOptions {
        country: None,
        on: date!(2026 - 01 - 01),
    };
    let made = label(submission, &Label::default(), &options);
    assert_eq!(made.attachments.len(), submission.attachments.len());
    for part in made.attachments.iter().flatten() {
        let open = Label {
            releasable_to: BTreeSet::new(),
            ..part.clone()
        };
        assert!(made.label.dominates(&open));
        let limited = part.releasable_to.is_empty() || !made.label.releasable_to.is_empty();
        assert!(limited, "a limit of a part is lost");
    }
}

fn judged(parsed: &Parsed) {
    match parsed {
        Parsed::Whole(submission) => {
            bounded(submission);
            covered(submission);
        }
        Parsed::Malformed(fault) | Parsed::Suspicious(fault) => {
            assert!(!fault.to_string().is_empty());
        }
    }
}

/// Any bytes are a whole submission within its bounds, whose label covers its
/// parts, or refused.
pub fn rest_submission_is_read_or_refused(bytes: &[u8]) {
    judged(&chancery_rest::content::read(
        &inbound(Channel::Rest),
        bytes,
        date!(2026 - 01 - 01),
    ));
}

/// Any bytes are a whole submission within its bounds, whose label covers its
/// parts, kept, or refused.
pub fn siena_submission_is_read_or_refused(bytes: &[u8]) {
    judged(&chancery_siena::content::read(
        &inbound(Channel::Siena),
        bytes,
        date!(2026 - 01 - 01),
    ));
}
