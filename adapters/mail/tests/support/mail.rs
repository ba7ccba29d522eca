//! Mails to the gateway, as its partners make them.

use std::collections::HashMap;

use chancery_mail::content::certificate::OwnCertificate;
use chancery_mail::content::{ReadKeys, Unavailable, read};
use chancery_message::{
    Channel, Inbound, Operation, Parsed, PeerEvidence, SignatureEvidence, Submission,
    TransportEvidence,
};
use chancery_pipeline::ports::{SenderCertificates, SendersError};

use super::gpg::Gpg;
use super::soft::{GATEWAY, SoftKeys, now};

/// The sender of the tests.
pub(crate) const ALICE: &str = "alice@agency.example";

/// The directory of the tests.
#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) known: HashMap<String, Vec<Vec<u8>>>,
    pub(crate) broken: bool,
}

impl SenderCertificates for Directory {
    fn certificates_for(&self, address: &str) -> Result<Vec<Vec<u8>>, SendersError> {
        if self.broken {
            return Err(SendersError("core is restarting".to_owned()));
        }
        Ok(self.known.get(address).cloned().unwrap_or_default())
    }
}

/// The gateway's side.
pub(crate) struct World {
    pub(crate) keys: SoftKeys,
    pub(crate) certificate: OwnCertificate,
    pub(crate) certificate_bytes: Vec<u8>,
    pub(crate) directory: Directory,
    pub(crate) domains: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let keys = SoftKeys::new(7);
        let certificate_bytes = keys.certificate_bytes(GATEWAY);
        Self {
            certificate: OwnCertificate::parse(&certificate_bytes).unwrap(),
            certificate_bytes,
            keys,
            directory: Directory::default(),
            domains: vec!["gateway.example".to_owned()],
        }
    }

    /// A gateway that knows Alice, and her GnuPG that knows the gateway.
    pub(crate) fn with_alice(algorithm: &str) -> (Self, Gpg) {
        let mut world = Self::new();
        let alice = Gpg::with_key(ALICE, algorithm);
        alice.import(&world.certificate_bytes);
        world.register(ALICE, alice.export(ALICE));
        (world, alice)
    }

    pub(crate) fn register(&mut self, address: &str, certificate: Vec<u8>) {
        self.directory
            .known
            .entry(address.to_owned())
            .or_default()
            .push(certificate);
    }

    pub(crate) fn try_read(&self, raw: &[u8]) -> Result<Parsed, Unavailable> {
        self.try_read_to(&["liaison@gateway.example"], raw)
    }

    pub(crate) fn try_read_to(&self, to: &[&str], raw: &[u8]) -> Result<Parsed, Unavailable> {
        let inbound = Inbound {
            peer: PeerEvidence {
                channel: Channel::Mail,
                transport: TransportEvidence::Local,
                address: "local".to_owned(),
            },
            operation: Operation::Send,
            idempotency_key: None,
            envelope_to: to.iter().map(|to| (*to).to_owned()).collect(),
            envelope_from: Some(ALICE.to_owned()),
        };
        let keys = ReadKeys {
            certificate: &self.certificate,
            decrypt: &self.keys,
            senders: &self.directory,
            now: now(),
            domains: &self.domains,
        };
        read(&inbound, raw, &keys)
    }

    pub(crate) fn read(&self, raw: &[u8]) -> Parsed {
        self.try_read(raw).unwrap()
    }

    pub(crate) fn whole(&self, raw: &[u8]) -> Submission {
        match self.read(raw) {
            Parsed::Whole(submission) => *submission,
            Parsed::Malformed(fault) => panic!("malformed: {fault}"),
            Parsed::Suspicious(fault) => panic!("suspicious: {fault}"),
        }
    }

    pub(crate) fn malformed(&self, raw: &[u8]) -> String {
        match self.read(raw) {
            Parsed::Malformed(fault) => fault.to_string(),
            Parsed::Suspicious(fault) => panic!("suspicious: {fault}"),
            Parsed::Whole(_) => panic!("a whole message"),
        }
    }

    pub(crate) fn suspicious(&self, raw: &[u8]) -> String {
        match self.read(raw) {
            Parsed::Suspicious(fault) => fault.to_string(),
            Parsed::Malformed(fault) => panic!("malformed: {fault}"),
            Parsed::Whole(_) => panic!("a whole message"),
        }
    }
}

/// An inner entity with a label and a text.
pub(crate) const INNER: &str = "Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: 8bit\r\n\
    SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\"\r\n\
    Subject: The real subject\r\n\
    \r\n\
    The text.\r\n";

/// The outer header of Alice's mail.
pub(crate) const OUTER: &str = "Received: from somewhere\r\n\
    From: Alice <Alice@agency.example>\r\n\
    To: liaison@gateway.example\r\n\
    Subject: [...]\r\n\
    Date: Sun, 22 Nov 2026 09:29:00 +0000\r\n\
    Message-ID: <1@agency.example>\r\n\
    MIME-Version: 1.0\r\n";

/// Encrypts and signs an inner entity with GnuPG.
pub(crate) fn sealed(gpg: &Gpg, inner: &[u8]) -> Vec<u8> {
    gpg.must(&["--armor", "-r", GATEWAY, "--encrypt", "--sign"], inner)
}

/// Lines ended by CRLF, as mail has them.
pub(crate) fn crlf(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.replace("\r\n", "\n")
        .replace('\n', "\r\n")
        .into_bytes()
}

/// Wraps an armored message (RFC 3156 section 4).
pub(crate) fn encrypted_mail(outer: &str, armored: &[u8]) -> Vec<u8> {
    let mut mail = format!(
        "{outer}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n \
         boundary=\"limit\"\r\n\r\n\
         This is an OpenPGP/MIME encrypted message (RFC 3156)\r\n\
         --limit\r\nContent-Type: application/pgp-encrypted\r\n\
         Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n\
         --limit\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n"
    )
    .into_bytes();
    mail.extend_from_slice(&crlf(armored));
    mail.extend_from_slice(b"\r\n--limit--\r\n");
    mail
}

/// Alice's mail with this inner entity.
pub(crate) fn mail(gpg: &Gpg, inner: &str) -> Vec<u8> {
    encrypted_mail(OUTER, &sealed(gpg, inner.as_bytes()))
}

/// A signed mail (RFC 3156 section 5).
pub(crate) fn signed_mail(gpg: &Gpg, content: &str) -> Vec<u8> {
    let signature = gpg.must(
        &["--armor", "--detach-sign", "--digest-algo", "SHA256"],
        content.as_bytes(),
    );
    let mut mail = format!(
        "{OUTER}Content-Type: multipart/signed; protocol=\"application/pgp-signature\";\r\n \
         micalg=pgp-sha256; boundary=\"limit\"\r\n\r\n--limit\r\n{content}\r\n--limit\r\n\
         Content-Type: application/pgp-signature\r\n\r\n"
    )
    .into_bytes();
    mail.extend_from_slice(&crlf(&signature));
    mail.extend_from_slice(b"\r\n--limit--\r\n");
    mail
}

/// Why a signature proves nothing.
pub(crate) fn bad_reason(signature: &SignatureEvidence) -> &str {
    match signature {
        SignatureEvidence::Bad { reason } => reason,
        other => panic!("{other:?}"),
    }
}
