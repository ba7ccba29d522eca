//! Labels: parse and format per second for each syntax, compare per second, on
//! one core. Designed for a compare below 1 µs and a parse below 50 µs, so that
//! labels never show in what a message costs.

use std::hint::black_box;

use chancery_label::codec::sio_label::{self, SioLabel};
use chancery_label::codec::stanag4774::{self, ConfidentialityLabel};
use chancery_label::codec::{ess, json, misp, stix, xep0258};
use chancery_label::{Label, ReadOptions, binding, found, marking, schemes};
use time::OffsetDateTime;
use time::macros::{date, datetime};

use crate::measure::row;

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};
const AT: OffsetDateTime = datetime!(2026-11-22 09:00 UTC);

pub(crate) fn run(_arguments: &[String]) {
    let label = marking::parse(
        "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H0 H2",
        &NOW,
    )
    .unwrap();
    compare(&label);
    texts(&label);
    structured(&label);
    tags(&label);
    bodies();
    bindings(&label);
}

fn compare(label: &Label) {
    let other = marking::parse(
        "SECRET UE/EU SECRET RELEASABLE TO EU, NOR, CHE TLP:RED H1",
        &NOW,
    )
    .unwrap();
    row("compare: dominates", || {
        black_box(&other).dominates(black_box(label))
    });
    row("compare: join", || black_box(&other).join(black_box(label)));
}

fn texts(label: &Label) {
    let germany = ReadOptions {
        country: Some("DEU".parse().unwrap()),
        ..NOW
    };
    let text = marking::format(label);
    row("parse text, EU", || marking::parse(black_box(&text), &NOW));
    row("parse text, national", || {
        marking::parse(
            black_box("VS – nur für den Dienstgebrauch TLP:AMBER"),
            &germany,
        )
    });
    row("format text", || marking::format(black_box(label)));
    let object = json::write(label);
    row("parse JSON", || json::read(black_box(&object), &NOW));
    row("format JSON", || json::write(black_box(label)));
}

fn structured(label: &Label) {
    let all = schemes::shipped().unwrap();
    let stanag = ConfidentialityLabel::of(label, AT, Some(AT), None).unwrap();
    let xml = stanag4774::write(&stanag).unwrap();
    row("parse 4774", || {
        stanag4774::read(black_box(&xml)).and_then(|it| it.label())
    });
    row("format 4774", || {
        ConfidentialityLabel::of(black_box(label), AT, None, None)
            .and_then(|it| stanag4774::write(&it))
    });
    let header = sio_label::write(&SioLabel::of(&stanag).unwrap());
    row("parse SIO-Label", || {
        sio_label::read(black_box(&header)).and_then(|it| it.label(&NOW))
    });
    row("format SIO-Label", || {
        SioLabel::of(black_box(&stanag)).map(|it| sio_label::write(&it))
    });
    let der = ess::write(&ess::from_label(all, label).unwrap()).unwrap();
    row("parse ESS", || {
        ess::read(black_box(&der)).and_then(|it| ess::to_label(all, &it))
    });
    row("format ESS", || {
        ess::from_label(all, black_box(label)).and_then(|it| ess::write(&it))
    });
    let xmpp = xep0258::write(&xep0258::SecurityLabel::of(label).unwrap()).unwrap();
    row("parse XEP-0258", || {
        xep0258::read(black_box(&xmpp)).and_then(|it| it.label())
    });
    row("format XEP-0258", || {
        xep0258::SecurityLabel::of(black_box(label)).and_then(|it| xep0258::write(&it))
    });
}

fn tags(label: &Label) {
    let all = schemes::shipped().unwrap();
    let tags = misp::write(all, label);
    row("parse MISP tags", || {
        misp::read(all, tags.iter().map(String::as_str), &NOW)
    });
    row("format MISP tags", || misp::write(all, black_box(label)));
    let marks = stix::write(all, label, AT).unwrap();
    let refs: Vec<_> = marks.refs.iter().map(String::as_str).collect();
    row("parse STIX markings", || {
        stix::read(all, black_box(&refs), &marks.definitions, &NOW)
    });
    row("format STIX markings", || {
        stix::write(all, black_box(label), AT)
    });
}

fn bodies() {
    let body = "A line of ordinary text without any marking, of a common length.\n".repeat(1000);
    row("scan a body of 66 kB", || found::scan(black_box(&body)));
}

fn bindings(label: &Label) {
    let stanag = ConfidentialityLabel::of(label, AT, Some(AT), None).unwrap();
    let signer = binding::SoftSigner::from_secret("bench", &[1; 32]).unwrap();
    let content = [binding::Content::Detached {
        uri: "a",
        content_type: "text/plain",
        digest: [0; 48],
    }];
    let bound = binding::bind(std::slice::from_ref(&stanag), &content, &signer).unwrap();
    row("bind 4778 (P-256 signature)", || {
        binding::bind(std::slice::from_ref(&stanag), black_box(&content), &signer)
    });
    row("verify 4778 (P-256 signature)", || {
        binding::verify(
            black_box(&bound),
            &|_| Some([0; 48]),
            binding::Trust::Embedded,
        )
    });
}
