//! Rendered mail, opened by the real GnuPG and by our own reader.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod support;

use std::io::Read as _;
use std::time::{Duration, UNIX_EPOCH};

use chancery_label::{Label, Level, ReleaseCode, marking};
use chancery_mail::content::certificate::{CertificateError, OwnCertificate, algorithms};
use chancery_mail::content::{RenderContext, RenderError, render};
use chancery_message::{
    AssertedLabel, AttachmentContent, Content, DeliveryId, Evaluation, LabelSource, MessageId,
    Parsed, Precedence, Purpose, RecipientRole, SignatureEvidence, Text, Timestamp,
};
use chancery_pipeline::view::{Answered, AttachmentView, DeliveryView, Party};
use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::crypto::SessionKey;
use sequoia_openpgp::packet::{PKESK, SKESK};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{Cert, KeyHandle, Profile};
use support::gpg::Gpg;
use support::mail::World;
use support::soft::{Counting, GATEWAY, SoftKeys, now};

/// When the mails are opened, in GnuPG's spelling.
const LATER: &str = "20261122T093100!";
const BOB: &str = "bob@partner.example";

fn party(id: &str, name: &str) -> Party {
    Party {
        id: id.parse().unwrap(),
        name: name.to_owned(),
        address: None,
    }
}

fn view() -> DeliveryView {
    let mut label = Label::of(Level::Restricted);
    label
        .releasable_to
        .insert("EU".parse::<ReleaseCode>().unwrap());
    DeliveryView {
        delivery: DeliveryId::from_bytes([0x11; 16]),
        message: MessageId::from_bytes([0x22; 16]),
        registration: "2026/42".to_owned(),
        from: party("cert-eu", "CERT-EU"),
        recipients: vec![
            (party("partner", "Partner & Söhne"), RecipientRole::To),
            (party("europol-ec3", "Europol EC3"), RecipientRole::Copy),
        ],
        originator: None,
        marking: marking::format(&label),
        label,
        obligations: vec!["not for use in judicial proceedings".to_owned()],
        precedence: Precedence::Immediate,
        purpose: Purpose::CyberCrisis,
        personal_data: true,
        evaluation: Some("B2".parse::<Evaluation>().unwrap()),
        sent_at: Timestamp::parse("2026-11-22T09:29:30Z").unwrap(),
        due_at: None,
        reference: Some(Text::new("REF 7/2026")),
        in_reply_to: Some(Answered {
            id: Text::new("<before@partner.example>"),
            registration: None,
        }),
        siena: None,
        subject: Text::new("Συναγερμός: incident 4711"),
        body: Text::new(
            ".\nFrom the coast\n\n..\nΕλλάδα \u{1b}[31m and a long line ".to_owned()
                + &"word ".repeat(60),
        ),
        attachments: vec![AttachmentView {
            index: 0,
            name: Text::new("Έκθεση.pdf"),
            media_type: "application/pdf".to_owned(),
            label: Some(Label::of(Level::Restricted)),
            size: 9,
            sha256: [0; 32],
            content: Some(Content::new(b"%PDF-1.7\n".to_vec())),
        }],
    }
}

struct Sender {
    keys: SoftKeys,
    certificate: OwnCertificate,
    entropy: Counting,
}

impl Sender {
    fn new() -> Self {
        let keys = SoftKeys::new(7);
        Self {
            certificate: keys.certificate(GATEWAY),
            keys,
            entropy: Counting::default(),
        }
    }

    fn context<'a>(&'a self, to: &'a str, certificate: &'a [u8]) -> RenderContext<'a> {
        RenderContext {
            certificate: &self.certificate,
            signer: &self.keys,
            own_address: GATEWAY,
            domain: "gateway.example",
            to,
            recipient_certificate: certificate,
            now: now(),
            entropy: &self.entropy,
        }
    }
}

fn armor_of(mail: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(mail).unwrap();
    let start = text.find("-----BEGIN PGP MESSAGE").unwrap();
    let end = text.find("-----END PGP MESSAGE-----").unwrap();
    text.as_bytes()[start..end + 25].to_vec()
}

#[test]
fn gnupg_opens_it_and_calls_the_signature_good() {
    let sender = Sender::new();
    for algorithm in [
        "ed25519",
        "rsa3072",
        "rsa4096",
        "nistp256",
        "nistp384",
        "brainpoolP384r1",
    ] {
        let bob = Gpg::with_key(BOB, algorithm);
        bob.import(&sender.keys.certificate_bytes(GATEWAY));
        let certificate = bob.export(BOB);
        let mail = render(&view(), &sender.context(BOB, &certificate)).unwrap();
        let opened = bob.run(LATER, &["--decrypt"], &armor_of(&mail));
        assert!(opened.good, "{algorithm}: {}", opened.status);
        assert!(opened.status.contains("GOODSIG"), "{}", opened.status);
        let valid = format!("VALIDSIG {}", sender.certificate.fingerprint());
        assert!(opened.status.contains(&valid), "{}", opened.status);
        assert!(
            !opened
                .status
                .contains("WARNING: message was not integrity protected")
        );
        let inner = String::from_utf8(opened.output).unwrap();
        assert!(
            inner.contains("\r\nSIO-Label: \r\n marking=\"RESTREINT UE/EU RESTRICTED"),
            "{inner}"
        );
        assert!(inner.contains("\r\nMMHS-Primary-Precedence: immediate\r\n"));
        assert!(inner.contains("hp=\"cipher\""));
    }
}

#[test]
fn the_outside_says_nothing() {
    let sender = Sender::new();
    let bob = Gpg::with_key(BOB, "ed25519");
    let certificate = bob.export(BOB);
    let mail = render(&view(), &sender.context(BOB, &certificate)).unwrap();
    let text = String::from_utf8(mail).unwrap();
    let (outside, _) = text.split_once("-----BEGIN").unwrap();
    for word in [
        "CERT-EU",
        "4711",
        "RESTREINT",
        "europol",
        "Partner",
        "REF",
        "before@",
        "pdf",
        "immediate",
        "2026/42",
    ] {
        assert!(!outside.contains(word), "{word}");
    }
    assert!(outside.starts_with("Date: Sun, 22 Nov 2026 09:29:30 +0000\r\n"));
    assert!(outside.contains("\r\nSubject: [...]\r\n"));
    assert!(outside.contains("\r\nFrom: Chancery <gateway@gateway.example>\r\n"));
    assert!(outside.contains("\r\nTo: <bob@partner.example>\r\n"));
    assert!(
        outside
            .contains("\r\nMessage-ID: <11111111-1111-1111-1111-111111111111@gateway.example>\r\n")
    );
    for line in text.split_inclusive('\n') {
        assert!(line.ends_with("\r\n") && line.len() <= 100, "{line:?}");
    }
    assert!(text.is_ascii());
}

#[test]
fn the_same_delivery_gives_the_same_content() {
    let sender = Sender::new();
    let bob = Gpg::with_key(BOB, "ed25519");
    let certificate = bob.export(BOB);
    bob.import(&sender.keys.certificate_bytes(GATEWAY));
    let open = |mail: &[u8]| bob.run(LATER, &["--decrypt"], &armor_of(mail)).output;
    let first = render(&view(), &sender.context(BOB, &certificate)).unwrap();
    let second = render(&view(), &sender.context(BOB, &certificate)).unwrap();
    assert_eq!(open(&first), open(&second));
    let outside = |mail: &[u8]| {
        String::from_utf8(mail.to_vec())
            .unwrap()
            .split("-----BEGIN")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(outside(&first), outside(&second));
    assert_ne!(first, second, "another session key each time");
}

/// Another gateway reads what this one renders.
#[test]
fn a_rendered_mail_is_read_again() {
    let sender = Sender::new();
    let mut world = World::new();
    world.keys = SoftKeys::new(40);
    world.certificate_bytes = world.keys.certificate_bytes("gateway@other.example");
    world.certificate = OwnCertificate::parse(&world.certificate_bytes).unwrap();
    world.domains = vec!["other.example".to_owned()];
    world.register(GATEWAY, sender.keys.certificate_bytes(GATEWAY));
    let mut plain = view();
    plain.attachments.clear();
    plain.body = Text::new("Short and plain.");
    for view in [view(), plain] {
        let mail = render(
            &view,
            &sender.context("liaison@other.example", &world.certificate_bytes),
        )
        .unwrap();
        let Parsed::Whole(read) = world
            .try_read_to(&["liaison@other.example"], &mail)
            .unwrap()
        else {
            panic!("{:?}", world.try_read_to(&["liaison@other.example"], &mail));
        };
        assert_eq!(read.claimed_sender.as_deref(), Some(GATEWAY));
        let SignatureEvidence::Good { fingerprint, .. } = &read.signature else {
            panic!("{:?}", read.signature);
        };
        assert_eq!(*fingerprint, sender.certificate.fingerprint());
        assert_eq!(read.subject, view.subject);
        assert_eq!(
            read.label,
            AssertedLabel::Valid {
                label: view.label.clone(),
                source: LabelSource::SioLabel
            }
        );
        assert_eq!(read.precedence, view.precedence);
        assert_eq!(read.purpose, Some(view.purpose));
        assert_eq!(read.personal_data, Some(true));
        assert_eq!(read.evaluation, view.evaluation);
        assert_eq!(read.reference, view.reference);
        assert_eq!(
            read.in_reply_to.as_ref(),
            view.in_reply_to.as_ref().map(|one| &one.id)
        );
        assert_eq!(
            read.external_id.as_ref().unwrap().expose(),
            "<11111111-1111-1111-1111-111111111111@gateway.example>"
        );
        let body = view.body.expose().replace('\u{1b}', "\u{241b}");
        assert!(
            read.body.expose().contains(body.trim_end()),
            "{}",
            read.body.expose()
        );
        assert!(
            read.body
                .expose()
                .contains("Obligation:    not for use in judicial proceedings\n")
        );
        // The marking lines are markup: they are gone, and core's own scan finds
        // no other but what attachments are marked with.
        assert_eq!(
            read.body.expose().matches("RESTREINT").count(),
            view.attachments.len(),
            "{}",
            read.body.expose()
        );
        assert_eq!(read.attachments.len(), view.attachments.len());
        for (read, rendered) in read.attachments.iter().zip(&view.attachments) {
            assert_eq!(read.name, rendered.name);
            assert_eq!(read.media_type, rendered.media_type);
            let AssertedLabel::Valid { label, .. } = &read.label else {
                panic!("{:?}", read.label)
            };
            assert_eq!(Some(label), rendered.label.as_ref());
            assert_eq!(
                Some(&read.content),
                rendered
                    .content
                    .clone()
                    .map(AttachmentContent::Inline)
                    .as_ref()
            );
        }
    }
    // Sent on to somebody else: the signature names its recipient.
    let third = SoftKeys::new(90);
    let third_certificate = third.certificate_bytes("gateway@third.example");
    let mail = render(
        &view(),
        &sender.context("liaison@other.example", &third_certificate),
    )
    .unwrap();
    world.malformed(&mail);
}

#[test]
fn certificates_that_are_not_good_get_nothing() {
    let sender = Sender::new();
    let refused = |certificate: &[u8]| match render(&view(), &sender.context(BOB, certificate)) {
        Err(RenderError::Certificate(error)) => error,
        other => panic!("{other:?}"),
    };
    let bob = Gpg::new();
    bob.generate(BOB, "ed25519", "2026-11-01");
    assert!(matches!(
        refused(&bob.export(BOB)),
        CertificateError::NotValid(_)
    ));

    let bob = Gpg::with_key(BOB, "ed25519");
    let fingerprint = bob.fingerprint(BOB);
    let home = bob.file("unused", b"");
    let path = home
        .parent()
        .unwrap()
        .join("openpgp-revocs.d")
        .join(format!("{fingerprint}.rev"));
    let revocation = std::fs::read_to_string(path).unwrap();
    bob.import(revocation.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    assert!(matches!(
        refused(&bob.export(BOB)),
        CertificateError::NotValid("it is revoked")
    ));

    // PGP-025
    for (algorithm, usage) in [("rsa1024", "sign"), ("ed25519", "sign")] {
        let bob = Gpg::new();
        let made = bob.run(
            "20260601T000000!",
            &["--quick-generate-key", BOB, algorithm, usage, "never"],
            b"",
        );
        assert!(made.good, "{}", made.status);
        if algorithm == "rsa1024" {
            let fingerprint = bob.fingerprint(BOB);
            bob.run(
                "20260601T000000!",
                &["--quick-add-key", &fingerprint, "rsa1024", "encr", "never"],
                b"",
            );
        }
        refused(&bob.export(BOB));
    }
    refused(b"nothing");
    refused(&vec![0x99; 300_000]);
}

#[test]
fn a_failing_token_is_no_fault_of_the_mail() {
    let mut sender = Sender::new();
    let bob = Gpg::with_key(BOB, "ed25519");
    let certificate = bob.export(BOB);
    sender.keys.broken = true;
    let error = render(&view(), &sender.context(BOB, &certificate)).unwrap_err();
    assert!(matches!(error, RenderError::Signing(_)), "{error}");
    assert!(error.is_transient());
    sender.keys.broken = false;
    assert!(matches!(
        render(&view(), &sender.context("no address", &certificate)),
        Err(RenderError::Address(_))
    ));
    let mut hollow = view();
    hollow.attachments[0].content = None;
    assert_eq!(
        render(&hollow, &sender.context(BOB, &certificate)),
        Err(RenderError::Attachment(0))
    );
}

/// Names and references of participants cannot begin a header of their own.
#[test]
fn nothing_in_a_view_makes_a_header() {
    let sender = Sender::new();
    let bob = Gpg::with_key(BOB, "ed25519");
    let certificate = bob.export(BOB);
    let evil = "x\r\nBcc: evil@x.example\r\n\r\nbody";
    let mut view = view();
    view.from.name = evil.to_owned();
    view.registration = evil.to_owned();
    view.subject = Text::new(evil);
    view.reference = Some(Text::new(evil));
    view.in_reply_to = Some(Answered {
        id: Text::new(evil),
        registration: Some(evil.to_owned()),
    });
    view.obligations = vec![evil.to_owned()];
    view.marking = evil.to_owned();
    view.attachments[0].name = Text::new(evil);
    view.attachments[0].media_type = evil.to_owned();
    let mail = render(&view, &sender.context(BOB, &certificate)).unwrap();
    let inner = bob.run(LATER, &["--decrypt"], &armor_of(&mail)).output;
    let inner = String::from_utf8(inner).unwrap();
    assert!(
        !inner.lines().any(|line| line.starts_with("Bcc")),
        "{inner}"
    );
    let (header, _) = inner.split_once("\r\n\r\n").unwrap();
    assert!(header.contains("Content-Type: multipart/mixed"));
}

/// A partner whose keys are in the process.
struct Partner(Cert);

impl VerificationHelper for &Partner {
    fn get_certs(&mut self, _: &[KeyHandle]) -> sequoia_openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _: MessageStructure<'_>) -> sequoia_openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for &Partner {
    fn decrypt(
        &mut self,
        session_keys: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> sequoia_openpgp::Result<Option<Cert>> {
        for key in self.0.keys().unencrypted_secret() {
            let mut pair = key.key().clone().into_keypair()?;
            for one in session_keys {
                if let Some((algorithm, session_key)) = one.decrypt(&mut pair, algorithm)
                    && decrypt(algorithm, &session_key)
                {
                    return Ok(Some(self.0.clone()));
                }
            }
        }
        panic!("nothing opens it")
    }
}

/// RFC 9580 and RFC 9980: what the renderer makes is opened by the partner's own
/// keys, and the gateway's signature (of version 4) stands in it.
#[test]
fn partners_with_version_6_and_post_quantum_certificates_open_it() {
    let sender = Sender::new();
    let made = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
    for (suite, encryption) in [
        (CipherSuite::Cv25519, "x25519"),
        (CipherSuite::MLDSA65_Ed25519, "mlkem768-x25519"),
    ] {
        assert!(suite.is_supported().is_ok(), "{suite:?} by this OpenSSL");
        let (cert, _) = CertBuilder::general_purpose(Some(BOB))
            .set_profile(Profile::RFC9580)
            .unwrap()
            .set_cipher_suite(suite)
            .set_creation_time(made)
            .generate()
            .unwrap();
        let public = cert.clone().strip_secret_key_material().to_vec().unwrap();
        let towards = algorithms(&public, now()).unwrap();
        assert_eq!(towards.encryption, [encryption], "{suite:?}");
        let mail = render(&view(), &sender.context(BOB, &public)).unwrap();
        let policy = StandardPolicy::new();
        let partner = Partner(cert);
        let mut opened = Vec::new();
        DecryptorBuilder::from_bytes(&armor_of(&mail))
            .unwrap()
            .with_policy(&policy, made + Duration::from_secs(86_400 * 365), &partner)
            .unwrap()
            .read_to_end(&mut opened)
            .unwrap();
        let inner = String::from_utf8(opened).unwrap();
        assert!(
            inner.contains("RESTREINT UE/EU RESTRICTED"),
            "{suite:?}: {inner}"
        );
    }
}
