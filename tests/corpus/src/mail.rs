//! Mail: the conversation, the parts, OpenPGP.

use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use chancery_mail::content::certificate::OwnCertificate;
use chancery_mail::content::{ReadKeys, read};
use chancery_mail::wire::{Connection, Door, Limits, Protocol, Settings, serve_connection};
use chancery_message::{
    Channel, Inbound, Operation, Parsed, PeerEvidence, SignatureEvidence, TransportEvidence,
};
use chancery_pipeline::ports::{SenderCertificates, SendersError};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Recipient};
use sequoia_openpgp::types::Features;
use sequoia_openpgp::{Cert, armor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::links::{DEADLINE, RUNTIME};

#[allow(dead_code, reason = "shared with the adapter's tests")]
#[path = "../../../adapters/mail/tests/support/gate.rs"]
mod gate;
#[allow(dead_code, reason = "shared with the adapter's tests")]
#[path = "../../../adapters/mail/tests/support/soft.rs"]
mod soft;

use gate::Memory;
use soft::{GATEWAY, SoftKeys, now};

/// Any conversation ends when the peer closes; all answers are whole lines, and
/// what was taken over has a recipient and no bare CR, LF or NUL.
pub fn smtp_session_ends(bytes: &[u8]) {
    let Some((first, said)) = bytes.split_first() else {
        return;
    };
    let protocol = if first & 1 == 0 {
        Protocol::Lmtp
    } else {
        Protocol::Smtp
    };
    let gate = Arc::new(Memory::default());
    RUNTIME.block_on(async {
        let (mut peer, server) = tokio::io::duplex(1 << 22);
        let (_shutdown, closing) = watch::channel(false);
        let door = Arc::new(Door {
            settings: Settings {
                protocol,
                hostname: "gateway.example".to_owned(),
                domains: vec!["gateway.example".to_owned()],
                limits: Limits::default(),
            },
            gate: Arc::clone(&gate) as Arc<dyn chancery_pipeline::ports::Gate>,
            upgrade: None,
        });
        let connection = Connection {
            door,
            address: "local".to_owned(),
            transport: Some(TransportEvidence::Local),
            shutdown: closing,
        };
        let served = tokio::spawn(serve_connection(Box::new(server), connection));
        let _cut = peer.write_all(said).await;
        let _cut = peer.shutdown().await;
        tokio::time::timeout(DEADLINE, served)
            .await
            .expect("the conversation ends when the peer is gone")
            .unwrap();
        let mut heard = Vec::new();
        let _cut = peer.read_to_end(&mut heard).await;
        for line in heard.split_inclusive(|byte| *byte == b'\n') {
            assert!(line.ends_with(b"\r\n") && line.len() > 4, "{line:?}");
            assert!(line[..3].iter().all(u8::is_ascii_digit), "{line:?}");
        }
    });
    for (inbound, raw) in gate.submitted.lock().unwrap().iter() {
        assert!(!inbound.envelope_to.is_empty());
        whole_lines(raw);
    }
}

/// No bare CR, LF or NUL gets through.
fn whole_lines(raw: &Bytes) {
    assert!(!raw.contains(&0));
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        // A last chunk (RFC 3030) may end in the middle of a line.
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        assert!(!text.contains(&b'\r') && !text.contains(&b'\n'), "{line:?}");
    }
}

struct World {
    keys: SoftKeys,
    own: Vec<u8>,
    certificate: OwnCertificate,
    sender: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let keys = SoftKeys::new(7);
    World {
        certificate: keys.certificate(GATEWAY),
        own: keys.certificate_bytes(GATEWAY),
        sender: SoftKeys::new(40).certificate_bytes("alice@agency.example"),
        keys,
    }
});

impl SenderCertificates for World {
    fn certificates_for(&self, _address: &str) -> Result<Vec<Vec<u8>>, SendersError> {
        Ok(vec![self.sender.clone()])
    }
}

fn reading(raw: &[u8]) -> Parsed {
    let inbound = Inbound {
        peer: PeerEvidence {
            channel: Channel::Mail,
            transport: TransportEvidence::Local,
            address: "local".to_owned(),
        },
        operation: Operation::Send,
        idempotency_key: None,
        envelope_to: vec!["liaison@gateway.example".to_owned()],
        envelope_from: Some("alice@agency.example".to_owned()),
    };
    let domains = ["gateway.example".to_owned()];
    let keys = ReadKeys {
        certificate: &WORLD.certificate,
        decrypt: &WORLD.keys,
        senders: &*WORLD,
        now: now(),
        domains: &domains,
    };
    read(&inbound, raw, &keys).expect("keys and senders are there")
}

/// Any bytes are a whole message, kept, or refused; without the sender's key
/// nobody makes a signature that is believed.
pub fn mail_is_read_or_refused(bytes: &[u8]) {
    match reading(bytes) {
        Parsed::Whole(submission) => {
            assert!(!submission.recipients.is_empty());
            assert!(!matches!(
                submission.signature,
                SignatureEvidence::Good { .. }
            ));
        }
        Parsed::Malformed(fault) | Parsed::Suspicious(fault) => {
            assert!(!fault.to_string().is_empty());
        }
    }
}

/// The same where the bytes are OpenPGP packets, plain (first byte 0 of 3) or
/// inside a good encryption (1), or the entity that such an encryption holds (2).
pub fn openpgp_is_never_believed(bytes: &[u8]) {
    let Some((first, content)) = bytes.split_first() else {
        return;
    };
    let packets = match first % 3 {
        0 => content.to_vec(),
        1 => encrypted(content, false),
        _ => encrypted(content, true),
    };
    let mut mail = String::from(HEAD).into_bytes();
    mail.extend_from_slice(&armored(&packets));
    mail.extend_from_slice(b"\r\n--limit--\r\n");
    mail_is_read_or_refused(&mail);
}

/// What stands before the armored message (RFC 3156 section 4).
const HEAD: &str = "From: Alice <alice@agency.example>\r\n\
    To: liaison@gateway.example\r\n\
    Subject: [...]\r\n\
    Date: Sun, 22 Nov 2026 09:29:00 +0000\r\n\
    Message-ID: <1@agency.example>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n \
    boundary=\"limit\"\r\n\r\n\
    --limit\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
    --limit\r\nContent-Type: application/octet-stream\r\n\r\n";

/// With lines as mail has them.
fn armored(packets: &[u8]) -> Vec<u8> {
    let mut writer = armor::Writer::new(Vec::new(), armor::Kind::Message).unwrap();
    writer.write_all(packets).unwrap();
    let text = String::from_utf8(writer.finalize().unwrap()).unwrap();
    text.replace('\n', "\r\n").into_bytes()
}

/// Encrypted to the gateway: the bytes as packets, or as the data of one.
fn encrypted(content: &[u8], literal: bool) -> Vec<u8> {
    let cert = Cert::from_bytes(&WORLD.own).unwrap();
    let key = cert.keys().subkeys().next().unwrap().key().clone();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), key.key_handle(), &key);
    let mut out = Vec::new();
    let mut message = Encryptor::for_recipients(Message::new(&mut out), vec![recipient])
        .build()
        .unwrap();
    if literal {
        message = LiteralWriter::new(message).build().unwrap();
    }
    message.write_all(content).unwrap();
    message.finalize().unwrap();
    out
}
