//! Exports of the log, and single records.

use chancery_audit::verify::verify;
use chancery_audit::{Expect, Record, passport};
use chancery_hsm_custodian::verify_chain;

/// Any file is judged: an export, a passport, the custodian's own log. A sound
/// report is about a key that the file itself brings, and says so.
pub fn audit_export_is_judged(bytes: &[u8]) {
    let expect = Expect::default();
    let report = verify(bytes, &expect).expect("memory can be read");
    if report.fault.is_none() {
        assert!(!report.key_expected);
        // The same bytes with the end cut off are not sound, or say less.
        if let Some((_, shorter)) = bytes.split_last() {
            let cut = verify(shorter, &expect).expect("memory can be read");
            assert!(cut.fault.is_some() || cut.size <= report.size);
        }
    }
    // Against another key nothing is sound.
    let other = Expect {
        fingerprint: Some([0; 32]),
        ..Expect::default()
    };
    let report = verify(bytes, &other).expect("memory can be read");
    assert!(report.fault.is_some());
    let _passport = passport::verify(bytes, &expect);
    let _chain = verify_chain(bytes);
}

/// A record has one form: the bytes that were read are the bytes written.
pub fn audit_record_roundtrip(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.encode(), bytes);
    }
}
