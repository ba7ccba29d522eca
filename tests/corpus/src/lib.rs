//! What must hold for every reader of strangers' bytes, whatever the bytes.
//!
//! Each property is a function of bytes that panics when it does not hold.
//! `tests/fuzz` looks for bytes that break one (`tests/long fuzz`); what was
//! found, and a few good and bad examples of each, lies in
//! `tests/fuzz/corpus/NAME` and is replayed by this crate's tests, which need
//! neither cargo-fuzz nor a sanitizer.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a property that does not hold panics"
)]

pub mod audit;
pub mod channels;
pub mod labels;
pub mod links;
pub mod mail;
pub mod rules;
pub mod structured;

/// A property, by the name of its fuzz target and of its folder of inputs.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// `tests/fuzz/fuzz_targets/NAME.rs` and `tests/fuzz/corpus/NAME`.
    pub name: &'static str,
    /// Panics where the property does not hold.
    pub holds: fn(&[u8]),
}

/// Lists the properties once, each named as its function.
macro_rules! readers {
    ($($room:ident :: $name:ident),+ $(,)?) => {
        /// Every property.
        pub const READERS: &[Reader] = &[$(Reader {
            name: stringify!($name),
            holds: $room::$name,
        }),+];
    };
}

readers![
    labels::label_parse_never_panics,
    labels::parse_format_roundtrip,
    labels::label_file_answers,
    labels::scheme_file_is_checked,
    structured::stanag_4774_roundtrip,
    structured::binding_4778_is_judged,
    structured::sio_label_roundtrip,
    structured::ess_roundtrip,
    structured::xep_0258_roundtrip,
    structured::stix_roundtrip,
    structured::misp_roundtrip,
    structured::label_json_roundtrip,
    structured::spif_import_export,
    rules::policy_facts_are_decided,
    rules::mou_file_loads_or_says_why,
    rules::participants_file_loads_or_says_why,
    rules::settings_file_loads_or_says_why,
    channels::rest_submission_is_read_or_refused,
    channels::siena_submission_is_read_or_refused,
    mail::smtp_session_ends,
    mail::mail_is_read_or_refused,
    mail::openpgp_is_never_believed,
    audit::audit_export_is_judged,
    audit::audit_record_roundtrip,
    links::ipc_frames_end_in_a_verdict,
    links::custodian_requests_are_answered,
];
