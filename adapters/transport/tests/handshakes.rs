//! Who gets through a handshake, over real sockets, and what it proves.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod world;

use std::sync::Arc;

use chancery_message::TransportEvidence;
use chancery_transport::{
    Accepted, ClientTls, Clients, HandshakeError, Handshakes, Refused, ServerTls, TlsError,
};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, SanType};
use sha2::{Digest, Sha256};
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use world::{Ca, World};

/// One connection: what the server makes of it; the client reads to the end.
async fn meet(
    server: Arc<ServerTls>,
    client: ClientTls,
) -> Result<Accepted<TcpStream>, HandshakeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let far = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.expect("connect");
        if let Ok(mut stream) = client.connect("localhost", stream).await {
            let mut read = Vec::new();
            drop(stream.read_to_end(&mut read).await);
        }
    });
    let (stream, _) = listener.accept().await.expect("accept");
    let outcome = server.accept_owned(stream).await;
    if outcome.is_err() {
        far.await.expect("client");
    }
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_client_is_proven_by_its_certificate() {
    let world = World::new();
    let crl = world.client_ca.crl(&[9], datetime!(2026-07-01 00:00 UTC));
    let (certificate, key) = world.client_ca.client(7);
    let accepted = meet(
        world.server(Some(crl)),
        world.client((certificate.clone(), key)),
    )
    .await
    .expect("accepted");
    assert_eq!(accepted.server_name.as_deref(), Some("localhost"));
    assert_eq!(accepted.alpn.as_deref(), Some(&b"http/1.1"[..]));
    let TransportEvidence::MutualTls {
        certificate: evidence,
        group,
    } = accepted.evidence
    else {
        panic!("not mutual");
    };
    assert_eq!(group, "X25519MLKEM768");
    let der = openssl::x509::X509::from_pem(&certificate).expect("pem");
    let fingerprint: [u8; 32] = Sha256::digest(der.to_der().expect("der")).into();
    assert_eq!(evidence.fingerprint, fingerprint);
    let spki: [u8; 32] = Sha256::digest(
        der.public_key()
            .and_then(|key| key.public_key_to_der())
            .expect("spki"),
    )
    .into();
    assert_eq!(evidence.spki, spki);
    assert_eq!(evidence.not_after.to_string(), "2027-01-01T00:00:00Z");
}

/// Names in a certificate prove nothing here, so none of them opens or closes the door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_in_a_client_certificate_do_not_matter() {
    let world = World::new();
    let strange = world.client_ca.client_as(8, |params| {
        params.subject_alt_names = vec![SanType::DnsName(
            "*.europol.example".try_into().expect("name"),
        )];
    });
    meet(world.server(None), world.client(strange))
        .await
        .expect("accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_clients_are_refused_each_for_its_reason() {
    let world = World::new();
    let other = Ca::new("client CA");
    let july = datetime!(2026-07-01 00:00 UTC);
    let crl = || Some(world.client_ca.crl(&[9], july));
    let expired = world.client_ca.client_as(7, |params| {
        params.not_after = datetime!(2026-05-01 00:00 UTC)
    });
    let future = world.client_ca.client_as(7, |params| {
        params.not_before = datetime!(2026-07-01 00:00 UTC)
    });
    let for_servers = world.client_ca.client_as(7, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
    });
    let is_ca = world.client_ca.client_as(7, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
    });
    let good = || world.client_ca.client(7);
    let cases = [
        (
            "revoked",
            crl(),
            world.client_ca.client(9),
            Refused::Revoked,
        ),
        (
            "another CA of the same name",
            crl(),
            other.client(7),
            Refused::UnknownIssuer,
        ),
        (
            "the list has expired",
            Some(world.client_ca.crl(&[9], datetime!(2026-05-20 00:00 UTC))),
            good(),
            Refused::RevocationListExpired,
        ),
        (
            "the list is another CA's",
            Some(Ca::new("third CA").crl(&[9], july)),
            good(),
            Refused::RevocationUnknown,
        ),
        ("expired", crl(), expired, Refused::NotValidNow),
        ("not valid yet", crl(), future, Refused::NotValidNow),
        (
            "a server's certificate",
            crl(),
            for_servers,
            Refused::Invalid,
        ),
        ("a CA's certificate", crl(), is_ca, Refused::Invalid),
    ];
    for (what, crl, client, reason) in cases {
        let outcome = meet(world.server(crl), world.client(client)).await;
        let error = outcome.err().unwrap_or_else(|| panic!("{what}: accepted"));
        assert_eq!(error, HandshakeError::Certificate(reason), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smtp_asks_for_no_certificate() {
    let world = World::new();
    let mut profile = world.profile(None);
    profile.clients = Clients::NotAsked;
    let server = world.server_with(&profile, Handshakes::default());
    let accepted = meet(server, world.client(world.client_ca.client(7)))
        .await
        .expect("accepted");
    let group = "X25519MLKEM768".to_owned();
    assert_eq!(accepted.evidence, TransportEvidence::ServerTls { group });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_token_fails_the_handshake_and_says_so() {
    let world = World::new();
    let broken = Arc::new(world::SoftToken::broken_copy(&world.token));
    let server = ServerTls::new(
        &world.profile(None),
        Handshakes::default(),
        broken.as_ref(),
        broken.clone(),
        world::clock(),
    )
    .expect("profile");
    let error = meet(Arc::new(server), world.client(world.client_ca.client(7)))
        .await
        .expect_err("accepted");
    assert!(
        matches!(&error, HandshakeError::Key(why) if why.contains("too much at once")),
        "{error:?}"
    );
    assert_eq!(error.reason(), "tls-key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_shuts_out_who_was_revoked_since_and_keeps_connections() {
    let world = World::new();
    let july = datetime!(2026-07-01 00:00 UTC);
    let server = world.server(Some(world.client_ca.crl(&[], july)));
    let client = world.client(world.client_ca.client(7));
    let mut before = meet(server.clone(), client.clone())
        .await
        .expect("accepted");
    assert_eq!(
        server
            .expiry()
            .revocation_list
            .map(|at| at.to_string())
            .as_deref(),
        Some("2026-07-01T00:00:00Z")
    );

    let mut broken = world.profile(Some(b"no list".to_vec()));
    assert!(matches!(
        server.reload(&broken, world.token.as_ref()),
        Err(TlsError::Unusable {
            what: "revocation list",
            ..
        })
    ));
    meet(server.clone(), client.clone())
        .await
        .expect("the profile before is still in force");

    broken.clients = world.profile(Some(world.client_ca.crl(&[7], july))).clients;
    server
        .reload(&broken, world.token.as_ref())
        .expect("reload");
    let error = meet(server, client).await.expect_err("accepted");
    assert_eq!(error, HandshakeError::Certificate(Refused::Revoked));
    before.stream.write_all(b"still here").await.expect("write");
    before.stream.flush().await.expect("flush");
}

#[test]
fn a_profile_that_cannot_work_is_refused_at_start() {
    let world = World::new();
    let elsewhere = World::new();
    let start = |profile: &chancery_transport::ServerProfile, clock| {
        ServerTls::new(
            profile,
            Handshakes::default(),
            world.token.as_ref(),
            world.token.clone(),
            clock,
        )
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
    };
    let good = world.profile(None);
    let mut other_key = good.clone();
    other_key.certificate_chain = elsewhere.chain.clone();
    assert!(start(&other_key, world::clock()).contains("not that of tls/rest in the token"));
    for (what, bytes) in [
        ("empty", Vec::new()),
        (
            "garbage",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
        ),
        (
            "out of order",
            [world.chain.clone(), elsewhere.client_ca.pem()].concat(),
        ),
    ] {
        let mut profile = good.clone();
        profile.certificate_chain = bytes;
        assert!(
            start(&profile, world::clock()).contains("certificate chain"),
            "{what}"
        );
    }
    let late = Arc::new(world::Still(datetime!(2027-06-01 00:00 UTC)));
    assert!(start(&good, late).contains("is not valid now: it is valid from 2026-01-01T00:00:00Z"));
    let mut no_ca = good;
    no_ca.clients = Clients::Required {
        ca: b"x".to_vec(),
        crl: None,
    };
    assert!(start(&no_ca, world::clock()).contains("client CA"));
}
