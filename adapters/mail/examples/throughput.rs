//! How many mails a second one thread reads and renders, with keys in
//! software. Prints; asserts nothing about speed.
//!
//! `cargo run --release -p chancery-mail --example throughput [SECONDS]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program"
)]
#![allow(clippy::disallowed_methods, reason = "it measures wall time")]
#![forbid(unsafe_code)]

#[path = "../tests/support/soft.rs"]
mod soft;

use std::time::{Duration, Instant};

use chancery_label::{Label, Level, marking};
use chancery_mail::content::certificate::OwnCertificate;
use chancery_mail::content::{ReadKeys, RenderContext, read, render};
use chancery_message::{
    Channel, Content, DeliveryId, Inbound, MessageId, Operation, Parsed, PeerEvidence, Precedence,
    Purpose, RecipientRole, SignatureEvidence, Text, TransportEvidence,
};
use chancery_pipeline::ports::{SenderCertificates, SendersError};
use chancery_pipeline::view::{AttachmentView, DeliveryView, Party};
use soft::{Counting, GATEWAY, SoftKeys, now};

struct One(Vec<u8>);

impl SenderCertificates for One {
    fn certificates_for(&self, _address: &str) -> Result<Vec<Vec<u8>>, SendersError> {
        Ok(vec![self.0.clone()])
    }
}

fn view(attachment: usize) -> DeliveryView {
    let label = Label::of(Level::Restricted);
    let party = || Party {
        id: "cert-eu".parse().unwrap(),
        name: "CERT-EU".to_owned(),
        address: None,
    };
    let attachments = (attachment > 0).then(|| AttachmentView {
        index: 0,
        name: Text::new("a.bin"),
        media_type: "application/octet-stream".to_owned(),
        label: None,
        size: u64::try_from(attachment).unwrap(),
        sha256: [0; 32],
        content: Some(Content::new(vec![0x5a; attachment])),
    });
    DeliveryView {
        delivery: DeliveryId::from_bytes([1; 16]),
        message: MessageId::from_bytes([2; 16]),
        registration: "2026/1".to_owned(),
        from: party(),
        recipients: vec![(party(), RecipientRole::To)],
        originator: None,
        marking: marking::format(&label),
        label,
        obligations: Vec::new(),
        precedence: Precedence::Routine,
        purpose: Purpose::CyberCrisis,
        personal_data: false,
        evaluation: None,
        sent_at: now(),
        due_at: None,
        reference: None,
        in_reply_to: None,
        siena: None,
        subject: Text::new("Indicators"),
        body: Text::new("A line of an ordinary text of an ordinary length.\n".repeat(100)),
        attachments: attachments.into_iter().collect(),
    }
}

fn rate(span: Duration, mut once: impl FnMut()) -> f64 {
    once();
    let began = Instant::now();
    let mut times = 0u32;
    while began.elapsed() < span {
        once();
        times += 1;
    }
    f64::from(times) / began.elapsed().as_secs_f64()
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let span = Duration::from_secs(seconds);
    let from = SoftKeys::new(7);
    let from_certificate = from.certificate(GATEWAY);
    let to = SoftKeys::new(40);
    let to_bytes = to.certificate_bytes("gateway@other.example");
    let to_certificate = OwnCertificate::parse(&to_bytes).unwrap();
    let senders = One(from.certificate_bytes(GATEWAY));
    let domains = ["other.example".to_owned()];
    let entropy = Counting::default();
    let context = RenderContext {
        certificate: &from_certificate,
        signer: &from,
        own_address: GATEWAY,
        domain: "gateway.example",
        to: "liaison@other.example",
        recipient_certificate: &to_bytes,
        now: now(),
        entropy: &entropy,
    };
    let keys = ReadKeys {
        certificate: &to_certificate,
        decrypt: &to,
        senders: &senders,
        now: now(),
        domains: &domains,
    };
    let inbound = Inbound {
        peer: PeerEvidence {
            channel: Channel::Mail,
            transport: TransportEvidence::Local,
            address: "local".to_owned(),
        },
        operation: Operation::Send,
        idempotency_key: None,
        envelope_to: vec!["liaison@other.example".to_owned()],
        envelope_from: None,
    };
    for (name, attachment) in [
        ("5 kB text", 0),
        ("with 1 MiB attached", 1 << 20),
        ("with 20 MiB attached", 20 << 20),
    ] {
        let view = view(attachment);
        let mail = render(&view, &context).unwrap();
        let Parsed::Whole(submission) = read(&inbound, &mail, &keys).unwrap() else {
            println!("{name}: not read");
            continue;
        };
        assert!(matches!(
            submission.signature,
            SignatureEvidence::Good { .. }
        ));
        let rendered = rate(span, || drop(render(&view, &context).unwrap()));
        let read = rate(span, || drop(read(&inbound, &mail, &keys).unwrap()));
        println!(
            "{name}: mail of {} bytes, rendered {rendered:.1}/s, read {read:.1}/s",
            mail.len()
        );
    }
}
