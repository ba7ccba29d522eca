//! Who may ask what, what gets through, and what is recorded.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod soft;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chancery_hsm_api::{
    CheckpointRequest, ContentKeys, DoorZone, KekId, KeyErrorKind, KeyRole, MacUse, Macs,
    PgpDecryption, PgpSigning, PublicKeys, Randomness, TlsSigning, WrapScheme, WrappedKey,
};
use chancery_hsm_custodian::{
    Client, CustodyClient, Limit, Limits, MAX_REQUEST, Operation, Request, Server, may,
    verify_chain,
};
use soft::{ORIGIN, SoftKeys, server};

/// The whole table: each request, and who may ask it.
fn table() -> Vec<(Request, BTreeSet<Client>)> {
    use Client::{Admin, Core, Door, Reader};
    use DoorZone::{Mail, Rest, Siena};
    let wrapped = WrappedKey {
        kek: KekId::Intake,
        generation: 1,
        scheme: WrapScheme::AesKw,
        blob: vec![0; 40],
    };
    let message = vec![0; 10];
    let checkpoint = CheckpointRequest {
        origin: ORIGIN.to_owned(),
        size: 1,
        root: [0; 32],
        consistency: Vec::new(),
    };
    let kek = KeyRole::Kek(KekId::Intake);
    [
        (Request::NewContentKey(KekId::Intake), vec![Core]),
        (Request::UnwrapKey(wrapped.clone()), vec![Core]),
        (
            Request::RewrapKey {
                wrapped,
                to: KekId::Intake,
            },
            vec![Core],
        ),
        (
            Request::Mac {
                usage: MacUse::Index,
                generation: None,
                data: vec![1],
            },
            vec![Core],
        ),
        (
            Request::Mac {
                usage: MacUse::Row,
                generation: Some(1),
                data: vec![1],
            },
            vec![Core],
        ),
        (Request::Random(8), vec![Core]),
        (Request::LastCheckpoint(ORIGIN.to_owned()), vec![Core]),
        (Request::SignCheckpoint(checkpoint), vec![Core]),
        (Request::PgpSign(vec![0; 32]), vec![Core]),
        (Request::PgpAgree(vec![4; 65]), vec![Reader(Mail)]),
        (
            Request::TlsSign {
                zone: Mail,
                message: message.clone(),
            },
            vec![Door(Mail)],
        ),
        (
            Request::TlsSign {
                zone: Siena,
                message: message.clone(),
            },
            vec![Door(Siena)],
        ),
        (
            Request::TlsSign {
                zone: Rest,
                message,
            },
            vec![Door(Rest)],
        ),
        (
            Request::PublicKey(KeyRole::Tls(Mail)),
            vec![Core, Door(Mail)],
        ),
        (
            Request::PublicKey(KeyRole::Tls(Siena)),
            vec![Core, Door(Siena)],
        ),
        (
            Request::PublicKey(KeyRole::Tls(Rest)),
            vec![Core, Door(Rest)],
        ),
        (Request::PublicKey(KeyRole::PgpSign), vec![Core]),
        (
            Request::PublicKey(KeyRole::PgpDecrypt),
            vec![Core, Reader(Mail)],
        ),
        (Request::PublicKey(KeyRole::AuditCheckpoint), vec![Core]),
        (Request::PublicKey(kek), vec![]),
        (Request::PublicKey(KeyRole::Mac(MacUse::Row)), vec![]),
        (Request::Keys, vec![Core]),
        (Request::Status, vec![Core, Admin]),
        (Request::LogHead, vec![Core, Admin]),
        (Request::Cards, vec![Core, Admin]),
        (Request::Roster, vec![Admin]),
        (Request::Perform(Vec::new()), vec![Admin]),
        (
            Request::Blobs {
                kek: KekId::Intake,
                generation: 1,
                blobs: 0,
                closed: false,
            },
            vec![Core],
        ),
        (Request::Capabilities, vec![Core, Admin]),
    ]
    .into_iter()
    .map(|(request, who)| (request, who.into_iter().collect()))
    .collect()
}

fn bytes(request: &Request) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(postcard::to_stdvec(request).unwrap());
    bytes
}

/// The class of the error in an answer, if it is one.
fn refused(answer: &[u8]) -> Option<KeyErrorKind> {
    type Reply = Result<chancery_hsm_custodian::Answer, chancery_hsm_api::KeyError>;
    let reply: Reply = postcard::from_bytes(&answer[1..]).unwrap();
    reply.err().map(|error| error.kind)
}

#[test]
fn the_role_table_is_this_and_nothing_more() {
    for (request, allowed) in table() {
        for client in Client::ALL {
            assert_eq!(
                may(client, &request),
                allowed.contains(&client),
                "{client} asks {request:?}"
            );
        }
    }
}

#[test]
fn the_server_keeps_to_the_table_and_records_what_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), SoftKeys::default(), Limits::default());
    let mut refusals = 0;
    for (request, allowed) in table() {
        for client in Client::ALL {
            let before = server_head(&server);
            let answer = server.handle(client, &bytes(&request));
            if !allowed.contains(&client) {
                refusals += 1;
                assert_eq!(
                    refused(&answer),
                    Some(KeyErrorKind::Denied),
                    "{client} {request:?}"
                );
                // Up to the bound of lines a minute, each refusal is one.
                assert!(server_head(&server) >= before);
            }
        }
    }
    assert!(refusals > 100);
    let log = std::fs::read_to_string(folder.path().join("custodian.log")).unwrap();
    for client in Client::ALL
        .into_iter()
        .filter(|client| *client != Client::Core)
    {
        assert!(
            log.contains(&format!("\"client\":\"{client}\"")),
            "{client}"
        );
    }
    assert!(log.contains("tls/siena: this client's role does not include it"));
    verify_chain(log.as_bytes()).unwrap();
}

fn server_head(server: &Server<SoftKeys>) -> u64 {
    use chancery_hsm_custodian::Answer;
    type Reply = Result<Answer, chancery_hsm_api::KeyError>;
    let answer = server.handle(Client::Core, &bytes(&Request::LogHead));
    match postcard::from_bytes::<Reply>(&answer[1..])
        .unwrap()
        .unwrap()
    {
        Answer::LogHead(head) => head.seq,
        other => panic!("{other:?}"),
    }
}

fn client(server: &Arc<Server<SoftKeys>>, who: Client) -> CustodyClient {
    let server = Arc::clone(server);
    CustodyClient::new(move |request| Ok(server.handle(who, request).to_vec()))
}

#[test]
fn every_capability_answers_through_the_protocol_as_the_keys_do() {
    let folder = tempfile::tempdir().unwrap();
    let keys = SoftKeys::default();
    let server = Arc::new(server(
        folder.path(),
        SoftKeys::default(),
        Limits::default(),
    ));
    let core = client(&server, Client::Core);
    let (key, wrapped) = core.new_content_key(&KekId::Intake).unwrap();
    assert_eq!(core.unwrap_key(&wrapped).unwrap(), key);
    let to = KekId::Label {
        rank: 3,
        compartment: "acme".parse().unwrap(),
    };
    let moved = core.rewrap_key(&wrapped, &to).unwrap();
    assert_eq!(moved.kek, to);
    assert_eq!(core.unwrap_key(&moved).unwrap(), key);
    let mut changed = wrapped;
    changed.blob[3] ^= 1;
    assert_eq!(
        core.unwrap_key(&changed).unwrap_err().kind,
        KeyErrorKind::Data
    );

    assert_eq!(
        core.mac(MacUse::Row, b"x").unwrap(),
        keys.mac(MacUse::Row, b"x").unwrap()
    );
    let long = vec![0; 40_000];
    assert_eq!(
        core.mac(MacUse::Row, &long).unwrap_err().kind,
        KeyErrorKind::Data
    );
    let mut random = vec![0; 10_000];
    core.fill(&mut random).unwrap();
    assert!(random.iter().all(|byte| *byte == 0xa5));
    assert_eq!(
        core.pgp_sign(&[9; 32]).unwrap(),
        keys.pgp_sign(&[9; 32]).unwrap()
    );
    let role = KeyRole::AuditCheckpoint;
    assert_eq!(
        core.public_key(&role).unwrap(),
        keys.public_key(&role).unwrap()
    );
    let secret = core.public_key(&KeyRole::Mac(MacUse::Row)).unwrap_err();
    assert_eq!(secret.kind, KeyErrorKind::Denied);

    let reader = client(&server, Client::Reader(DoorZone::Mail));
    assert_eq!(
        reader.pgp_agree(&[4; 65]).unwrap(),
        keys.pgp_agree(&[4; 65]).unwrap()
    );

    let status = core.status().unwrap();
    assert!(status.log_writable);
    let unwraps = status
        .tallies
        .iter()
        .find(|(who, what, _)| (*who, *what) == (Client::Core, Operation::UnwrapKey))
        .unwrap();
    assert_eq!((unwraps.2.done, unwraps.2.failed), (2, 1));
}

#[test]
fn a_door_signs_handshakes_of_its_own_zone_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(server(
        folder.path(),
        SoftKeys::default(),
        Limits::default(),
    ));
    let door = client(&server, Client::Door(DoorZone::Rest));
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    let signature = door.tls_sign(DoorZone::Rest, &message).unwrap();
    use p256::ecdsa::signature::Verifier as _;
    soft::secret(&KeyRole::Tls(DoorZone::Rest))
        .verifying_key()
        .verify(
            &message,
            &p256::ecdsa::Signature::from_slice(&signature).unwrap(),
        )
        .unwrap();
    let other = door.tls_sign(DoorZone::Mail, &message).unwrap_err();
    assert_eq!(other.kind, KeyErrorKind::Denied);
    for bad in [
        &message[1..],
        &message[..message.len() - 1],
        b"a certificate",
    ] {
        let error = door.tls_sign(DoorZone::Rest, bad).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Denied);
    }
    let log = std::fs::read_to_string(folder.path().join("custodian.log")).unwrap();
    assert_eq!(log.matches("no TLS 1.3 CertificateVerify").count(), 3);
}

#[test]
fn what_is_no_request_is_refused_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), SoftKeys::default(), Limits::default());
    let mut trailing = bytes(&Request::Random(4));
    trailing.push(0);
    let bad: [&[u8]; 6] = [
        b"",
        &[1],
        &[2, 0],
        &[1, 250],
        &trailing,
        &vec![1; MAX_REQUEST + 1],
    ];
    for (n, request) in bad.into_iter().enumerate() {
        let before = server_head(&server);
        let answer = server.handle(Client::Core, request);
        assert_eq!(refused(&answer), Some(KeyErrorKind::Denied), "{n}");
        assert_eq!(server_head(&server), before + 1, "{n}");
    }
}

#[test]
fn another_levels_kek_opens_nothing_and_that_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), SoftKeys::default(), Limits::default());
    let server = Arc::new(server);
    let core = client(&server, Client::Core);
    let kek = |rank| KekId::Label {
        rank,
        compartment: "acme".parse().unwrap(),
    };
    let (_, secret) = core.new_content_key(&kek(3)).unwrap();
    let before = server_head(&server);
    let lowered = WrappedKey {
        kek: kek(1),
        ..secret.clone()
    };
    let error = core.unwrap_key(&lowered).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Data);
    let error = core.rewrap_key(&lowered, &kek(1)).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Data);
    assert_eq!(server_head(&server), before + 2);
    let log = std::fs::read_to_string(folder.path().join("custodian.log")).unwrap();
    assert_eq!(log.matches("kek/1/acme: ").count(), 2, "{log}");
    core.unwrap_key(&secret).unwrap();
}

#[test]
fn a_flood_of_refusals_is_counted_but_does_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), SoftKeys::default(), Limits::default());
    let request = bytes(&Request::PgpSign(vec![0; 32]));
    for _ in 0..1000 {
        server.handle(Client::Reader(DoorZone::Siena), &request);
    }
    let log = std::fs::read_to_string(folder.path().join("custodian.log")).unwrap();
    assert_eq!(log.matches("\"client\":\"reader/siena\"").count(), 30);
    // Another client's refusals still get their lines.
    server.handle(Client::Reader(DoorZone::Rest), &request);
    let log = std::fs::read_to_string(folder.path().join("custodian.log")).unwrap();
    assert_eq!(log.matches("\"client\":\"reader/rest\"").count(), 1);
}

#[test]
fn a_client_that_asks_too_much_is_turned_away_and_the_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let tight = Limit {
        at_once: 1,
        waiting: 1,
        wait_ms: 10,
        per_second: 5,
    };
    let limits = Limits {
        doors: tight,
        ..Limits::default()
    };
    let server = server(folder.path(), SoftKeys::default(), limits);
    let request = bytes(&Request::PublicKey(KeyRole::Tls(DoorZone::Rest)));
    let answers: Vec<_> = (0..50)
        .map(|_| refused(&server.handle(Client::Door(DoorZone::Rest), &request)))
        .collect();
    assert!(answers[..5].iter().all(Option::is_none));
    assert!(
        answers
            .iter()
            .filter(|one| **one == Some(KeyErrorKind::Busy))
            .count()
            >= 40
    );
    let random = bytes(&Request::Random(4));
    assert!((0..50).all(|_| refused(&server.handle(Client::Core, &random)).is_none()));
}

#[test]
fn an_unreachable_custodian_is_asked_again_until_it_answers_or_patience_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), SoftKeys::default(), Limits::default());
    let calls = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&calls);
    let restarting = CustodyClient::new(move |request| {
        if seen.fetch_add(1, Ordering::Relaxed) < 3 {
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        Ok(server.handle(Client::Core, request).to_vec())
    });
    restarting.mac(MacUse::Index, b"x").unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 4);

    let gone = CustodyClient::new(|_| Err(io::Error::from(io::ErrorKind::ConnectionRefused)))
        .with_patience(Duration::from_millis(50));
    let error = gone.mac(MacUse::Index, b"x").unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Unreachable);
    assert!(error.kind.is_transient());

    let calls = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&calls);
    let slow = CustodyClient::new(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Err(io::Error::from(io::ErrorKind::TimedOut))
    });
    assert_eq!(
        slow.mac(MacUse::Index, b"x").unwrap_err().kind,
        KeyErrorKind::Unreachable
    );
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "a deadline is not waited for twice"
    );

    let garbled = CustodyClient::new(|_| Ok(vec![1, 2, 3]));
    assert_eq!(
        garbled.mac(MacUse::Index, b"x").unwrap_err().kind,
        KeyErrorKind::Unreachable
    );
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(server(
        folder.path(),
        SoftKeys::default(),
        Limits::default(),
    ));
    let (key, _) = client(&server, Client::Core)
        .new_content_key(&KekId::Intake)
        .unwrap();
    let shown = format!(
        "{key:?} {:?}",
        chancery_hsm_custodian::Answer::ContentKey(key.clone())
    );
    assert!(!shown.contains('7'), "{shown}");
}
