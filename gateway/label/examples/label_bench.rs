//! Parse, format and compare per second, on one core:
//! `cargo run --release -p chancery-label --example label_bench`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints measurements"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chancery_label::codec::sio_label::{self, SioLabel};
use chancery_label::codec::stanag4774::{self, ConfidentialityLabel};
use chancery_label::codec::{ess, json, misp, stix, xep0258};
use chancery_label::{ReadOptions, binding, found, marking, schemes};
use time::macros::{date, datetime};

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

/// Time that this thread was on a processor (Linux), so that a busy machine
/// does not count; elsewhere time that passed.
fn busy(start: Instant) -> Duration {
    let on_cpu = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = on_cpu.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Runs for half a second after a warm-up; prints runs per second of one core.
fn measure<T>(name: &str, mut run: impl FnMut() -> T) {
    for _ in 0..100 {
        black_box(run());
    }
    let start = Instant::now();
    let before = busy(start);
    let mut runs = 0u32;
    while start.elapsed() < Duration::from_millis(500) {
        for _ in 0..64 {
            black_box(run());
        }
        runs += 64;
    }
    let each = (busy(start) - before) / runs;
    let per_second = 1.0 / each.as_secs_f64();
    println!("{name:<28} {per_second:>12.0} /s   {each:>10.2?} each");
}

fn main() {
    let all = schemes::shipped().unwrap();
    let text = "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H0 H2";
    let national = "VS – nur für den Dienstgebrauch TLP:AMBER";
    let germany = ReadOptions {
        country: Some("DEU".parse().unwrap()),
        ..NOW
    };
    let label = marking::parse(text, &NOW).unwrap();
    let other = marking::parse(
        "SECRET UE/EU SECRET RELEASABLE TO EU, NOR, CHE TLP:RED H1",
        &NOW,
    )
    .unwrap();
    let at = datetime!(2026-11-22 09:00 UTC);
    let stanag = ConfidentialityLabel::of(&label, at, Some(at), None).unwrap();
    let xml = stanag4774::write(&stanag).unwrap();
    let header = sio_label::write(&SioLabel::of(&stanag).unwrap());
    let object = json::write(&label);
    let ess_label = ess::from_label(all, &label).unwrap();
    let der = ess::write(&ess_label).unwrap();
    let xmpp = xep0258::write(&xep0258::SecurityLabel::of(&label).unwrap()).unwrap();
    let tags = misp::write(all, &label);
    let stix_marks = stix::write(all, &label, at).unwrap();
    let refs: Vec<_> = stix_marks.refs.iter().map(String::as_str).collect();
    let body = "A line of ordinary text without any marking, of a common length.\n".repeat(1000);

    measure("compare: dominates", || {
        black_box(&other).dominates(black_box(&label))
    });
    measure("compare: join", || {
        black_box(&other).join(black_box(&label))
    });
    measure("parse text, EU", || marking::parse(black_box(text), &NOW));
    measure("parse text, national", || {
        marking::parse(black_box(national), &germany)
    });
    measure("format text", || marking::format(black_box(&label)));
    measure("parse JSON", || json::read(black_box(&object), &NOW));
    measure("format JSON", || json::write(black_box(&label)));
    measure("parse 4774", || {
        stanag4774::read(black_box(&xml)).and_then(|it| it.label())
    });
    measure("format 4774", || {
        ConfidentialityLabel::of(black_box(&label), at, None, None)
            .and_then(|it| stanag4774::write(&it))
    });
    measure("parse SIO-Label", || {
        sio_label::read(black_box(&header)).and_then(|it| it.label(&NOW))
    });
    measure("format SIO-Label", || {
        SioLabel::of(black_box(&stanag)).map(|it| sio_label::write(&it))
    });
    measure("parse ESS", || {
        ess::read(black_box(&der)).and_then(|it| ess::to_label(all, &it))
    });
    measure("format ESS", || {
        ess::from_label(all, black_box(&label)).and_then(|it| ess::write(&it))
    });
    measure("parse XEP-0258", || {
        xep0258::read(black_box(&xmpp)).and_then(|it| it.label())
    });
    measure("parse MISP tags", || {
        misp::read(all, tags.iter().map(String::as_str), &NOW)
    });
    measure("parse STIX markings", || {
        stix::read(all, black_box(&refs), &stix_marks.definitions, &NOW)
    });
    measure("scan a body of 66 kB", || found::scan(black_box(&body)));
    let signer = binding::SoftSigner::from_secret("bench", &[1; 32]).unwrap();
    let content = [binding::Content::Detached {
        uri: "a",
        content_type: "text/plain",
        digest: [0; 48],
    }];
    let bound = binding::bind(std::slice::from_ref(&stanag), &content, &signer).unwrap();
    measure("bind (P-256 signature)", || {
        binding::bind(std::slice::from_ref(&stanag), black_box(&content), &signer)
    });
    measure("verify (P-256 signature)", || {
        binding::verify(
            black_box(&bound),
            &|_| Some([0; 48]),
            binding::Trust::Embedded,
        )
    });
}
