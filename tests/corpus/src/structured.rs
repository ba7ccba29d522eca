//! The structured forms of labels: what was read is written, and reads as the
//! same.

use chancery_label::binding::{self, Trust};
use chancery_label::codec::sio_label;
use chancery_label::codec::stanag4774;
use chancery_label::codec::{ess, json, misp, spif, stix, xep0258};
use chancery_label::schemes::{self, Kind};
use time::macros::datetime;

use crate::labels::{NOW, all};

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A STANAG 4774 label that was read is written to what reads as the same.
pub fn stanag_4774_roundtrip(bytes: &[u8]) {
    let Some(Ok(read)) = text(bytes).map(stanag4774::read) else {
        return;
    };
    let meaning = read.label();
    let written = stanag4774::write(&read).expect("what was read can be written");
    let again = stanag4774::read(&written).expect("what was written can be read");
    assert_eq!(again, read);
    assert_eq!(again.label(), meaning);
}

/// No bytes make the verifier panic, and without its signer's key nothing that
/// is read here is trusted.
pub fn binding_4778_is_judged(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let read = binding::read(text);
    let content = |_: &str| Some([7; 48]);
    let embedded = binding::verify(text, &content, Trust::Embedded);
    // Whatever verifies was readable and signed.
    if embedded.is_ok() {
        assert!(read.as_ref().is_ok_and(|read| read.signed));
    }
    let canonical = binding::canonical(text);
    if let Ok(canonical) = canonical {
        assert_eq!(binding::canonical(&canonical).as_ref(), Ok(&canonical));
    }
}

/// A header that was read is written to what reads as the same.
pub fn sio_label_roundtrip(bytes: &[u8]) {
    let Some(Ok(read)) = text(bytes).map(sio_label::read) else {
        return;
    };
    let written = sio_label::write(&read);
    assert!(written.is_ascii());
    assert_eq!(sio_label::read(&written).as_ref(), Ok(&read), "{written}");
    let _meaning = read.label(&NOW);
}

/// ESS that was read is written to what reads as the same; a second time to
/// the same bytes (readers take the members of the SET in any order).
pub fn ess_roundtrip(bytes: &[u8]) {
    let Ok(read) = ess::read(bytes) else {
        return;
    };
    let written = ess::write(&read).expect("what was read can be written");
    let again = ess::read(&written).expect("what was written can be read");
    assert_eq!(again, read);
    assert_eq!(ess::write(&again), Ok(written));
    if let Ok(label) = ess::to_label(all(), &read) {
        crate::labels::same(&label);
    }
}

/// A `securitylabel` that was read is written to what reads as the same.
pub fn xep_0258_roundtrip(bytes: &[u8]) {
    let Some(Ok(read)) = text(bytes).map(xep0258::read) else {
        return;
    };
    let meaning = read.label();
    let written = xep0258::write(&read).expect("what was read can be written");
    let again = xep0258::read(&written).expect("what was written can be read");
    assert_eq!(again, read);
    assert_eq!(again.label(), meaning);
}

/// Markings of a STIX object: `{"refs": […], "definitions": […]}`.
pub fn stix_roundtrip(bytes: &[u8]) {
    let Ok(input) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let list = |name: &str| input.get(name).and_then(|it| it.as_array()).cloned();
    let (Some(refs), Some(definitions)) = (list("refs"), list("definitions")) else {
        return;
    };
    let refs: Vec<&str> = refs.iter().filter_map(|it| it.as_str()).collect();
    let Ok(Some(label)) = stix::read(all(), &refs, &definitions, &NOW) else {
        return;
    };
    let made = stix::write(all(), &label, datetime!(2026-01-01 00:00 UTC)).expect("is written");
    let refs: Vec<&str> = made.refs.iter().map(String::as_str).collect();
    let again = stix::read(all(), &refs, &made.definitions, &NOW);
    assert_eq!(again, Ok(Some(label)));
}

/// Tags, one a line.
pub fn misp_roundtrip(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let Ok(Some(label)) = misp::read(all(), text.lines(), &NOW) else {
        return;
    };
    let tags = misp::write(all(), &label);
    let again = misp::read(all(), tags.iter().map(String::as_str), &NOW);
    assert_eq!(again, Ok(Some(label)), "{tags:?}");
}

/// Our own JSON form.
pub fn label_json_roundtrip(bytes: &[u8]) {
    let Some(Ok(label)) = text(bytes).map(|text| json::read(text, &NOW)) else {
        return;
    };
    assert_eq!(json::read(&json::write(&label), &NOW), Ok(label.clone()));
    crate::labels::same(&label);
}

/// A SPIF is imported as a scheme that can be checked and exported again, or
/// refused.
pub fn spif_import_export(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let Ok(scheme) = spif::import(all(), text, "ZZZ", Kind::Organisation) else {
        return;
    };
    let _problems = schemes::check_schemes(&[("spif.toml".to_owned(), scheme.clone())]);
    let header = spif::Header {
        version: 1,
        created: datetime!(2026-01-01 00:00 UTC),
        originator_dn: "CN=a".to_owned(),
        key_identifier: "00".to_owned(),
    };
    if let Ok(written) = spif::export(all(), &scheme, &header) {
        let again = spif::import(all(), &written, "ZZZ", Kind::Organisation);
        assert!(again.is_ok(), "{again:?}\n{written}");
    }
}
