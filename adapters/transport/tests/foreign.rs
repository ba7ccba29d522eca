//! Against a foreign implementation (OpenSSL), and against peers that misbehave.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod world;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_message::TransportEvidence;
use chancery_transport::{HandshakeError, Refused, ServerTls, Stall};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslConnector, SslConnectorBuilder, SslMethod, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use world::{World, quick};

type Peer = fn(&mut TcpStream);
type Outcome = Result<TransportEvidence, HandshakeError>;

/// Accepts one connection; the far end is blocking code on a thread of its own.
async fn against<T: Send + 'static>(
    server: Arc<ServerTls>,
    far: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> (Outcome, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let far = tokio::task::spawn_blocking(move || far(address));
    let (stream, _) = listener.accept().await.expect("accept");
    let outcome = server.accept(stream).await;
    let evidence = match outcome {
        Ok(mut accepted) => {
            drop(accepted.stream.shutdown().await);
            Ok(accepted.evidence)
        }
        Err(error) => Err(error),
    };
    (evidence, far.await.expect("far end"))
}

fn openssl_client(world: &World, certificate: &[u8], key: &[u8]) -> SslConnectorBuilder {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("builder");
    builder.set_verify(SslVerifyMode::NONE);
    // Level 0: what the far end thinks too weak must be refused by us, not by it.
    builder.set_cipher_list("ALL:@SECLEVEL=0").expect("ciphers");
    builder
        .set_certificate(&X509::from_pem(certificate).expect("pem"))
        .expect("certificate");
    builder
        .set_private_key(&PKey::private_key_from_pem(key).expect("pem"))
        .expect("key");
    assert!(!world.chain.is_empty());
    builder
}

fn run(builder: SslConnectorBuilder) -> impl FnOnce(SocketAddr) -> Result<(), String> {
    move |address| {
        let stream = TcpStream::connect(address).expect("connect");
        let mut stream = builder
            .build()
            .connect("localhost", stream)
            .map_err(|error| error.to_string())?;
        let mut read = Vec::new();
        stream
            .read_to_end(&mut read)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_agrees_on_the_hybrid_group_and_may_offer_a_classical_one() {
    let world = World::new();
    for (offered, agreed) in [
        (None, "X25519MLKEM768"),
        (Some("X25519"), "X25519"),
        (Some("P-256"), "secp256r1"),
    ] {
        let (certificate, key) = world.client_ca.client(7);
        let mut builder = openssl_client(&world, &certificate, &key);
        if let Some(group) = offered {
            builder.set_groups_list(group).expect("group");
        }
        let (outcome, far) = against(world.server(None), run(builder)).await;
        far.expect("far end");
        let Ok(TransportEvidence::MutualTls { group, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(group, agreed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_and_no_certificate_are_refused() {
    let world = World::new();
    for version in [SslVersion::TLS1, SslVersion::TLS1_1, SslVersion::TLS1_2] {
        let (certificate, key) = world.client_ca.client(7);
        let mut builder = openssl_client(&world, &certificate, &key);
        builder
            .set_min_proto_version(Some(version))
            .expect("version");
        builder
            .set_max_proto_version(Some(version))
            .expect("version");
        let (outcome, far) = against(world.server(None), run(builder)).await;
        assert!(
            matches!(outcome, Err(HandshakeError::Protocol(_))),
            "{outcome:?}"
        );
        let far = far.expect_err("refused");
        assert!(
            far.contains("protocol version") || far.contains("handshake failure"),
            "{version:?}: {far}"
        );
    }
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("builder");
    builder.set_verify(SslVerifyMode::NONE);
    let (outcome, far) = against(world.server(None), run(builder)).await;
    assert_eq!(outcome, Err(HandshakeError::NoCertificate));
    assert!(far.expect_err("refused").contains("certificate required"));
}

/// A resumed session would skip the revocation list: no ticket is ever given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_can_be_resumed() {
    let world = World::new();
    let tickets = Arc::new(AtomicUsize::new(0));
    let (certificate, key) = world.client_ca.client(7);
    let mut builder = openssl_client(&world, &certificate, &key);
    builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
    let seen = Arc::clone(&tickets);
    builder.set_new_session_callback(move |_, _| {
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let (outcome, far) = against(world.server(None), run(builder)).await;
    outcome.expect("accepted");
    far.expect("far end");
    assert_eq!(tickets.load(Ordering::SeqCst), 0);
}

/// A certificate that the client CA really signed.
fn issued(world: &World, key: &PKey<Private>, digest: MessageDigest) -> Vec<u8> {
    let ca = X509::from_der(world.client_ca.certificate.der()).expect("ca");
    let ca_key = PKey::private_key_from_pem(world.client_ca.key_pem.as_bytes()).expect("key");
    let mut name = X509NameBuilder::new().expect("name");
    name.append_entry_by_nid(Nid::COMMONNAME, "weak")
        .expect("name");
    let mut builder = X509Builder::new().expect("builder");
    builder.set_version(2).expect("version");
    builder.set_subject_name(&name.build()).expect("subject");
    builder.set_issuer_name(ca.subject_name()).expect("issuer");
    builder
        .set_not_before(&Asn1Time::from_unix(1_767_225_600).expect("time"))
        .expect("from");
    builder
        .set_not_after(&Asn1Time::from_unix(1_798_761_600).expect("time"))
        .expect("to");
    builder.set_pubkey(key).expect("public key");
    builder.sign(&ca_key, digest).expect("sign");
    builder.build().to_pem().expect("pem")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weak_certificates_are_refused_whoever_signed_them() {
    let world = World::new();
    let rsa = |bits| PKey::from_rsa(openssl::rsa::Rsa::generate(bits).expect("rsa")).expect("key");
    let ec = |curve| {
        let group = openssl::ec::EcGroup::from_curve_name(curve).expect("curve");
        PKey::from_ec_key(openssl::ec::EcKey::generate(&group).expect("ec")).expect("key")
    };
    for (what, key, digest, good) in [
        ("RSA-2048", rsa(2048), MessageDigest::sha256(), true),
        ("P-384", ec(Nid::SECP384R1), MessageDigest::sha256(), true),
        ("RSA-1024", rsa(1024), MessageDigest::sha256(), false),
        (
            "P-192",
            ec(Nid::X9_62_PRIME192V1),
            MessageDigest::sha256(),
            false,
        ),
        ("SHA-1", rsa(2048), MessageDigest::sha1(), false),
    ] {
        let certificate = issued(&world, &key, digest);
        let key = key.private_key_to_pem_pkcs8().expect("pem");
        let builder = openssl_client(&world, &certificate, &key);
        let (outcome, _) = against(world.server(None), run(builder)).await;
        if good {
            outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
        } else {
            let error = outcome.expect_err(what);
            // A peer whose key fits no TLS 1.3 signature cannot show its certificate at all.
            let expected = [
                HandshakeError::Certificate(Refused::Weak),
                HandshakeError::NoCertificate,
            ];
            assert!(expected.contains(&error), "{what}: {error:?}");
        }
    }
}

/// A peer that says nothing, one that says nonsense, one that leaves at once
/// and one whose ClientHello never ends: all end within the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misbehaving_peers_end_within_the_deadline() {
    let world = World::new();
    let profile = world.profile(None);
    let peers: [(&str, Peer); 5] = [
        ("silent", |stream| {
            let mut byte = [0u8];
            drop(stream.read(&mut byte));
        }),
        ("http", |stream| {
            drop(stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        }),
        ("gone", |_| ()),
        ("close_notify first", |stream| {
            drop(stream.write_all(&[21, 3, 3, 0, 2, 1, 0]))
        }),
        ("endless ClientHello", |stream| {
            // A handshake of 16 MiB, announced and sent in full records.
            let mut record = vec![22, 3, 1, 0x40, 0];
            record.extend([1, 0xff, 0xff, 0xff]);
            record.resize(5 + 0x4000, 0);
            for _ in 0..1024 {
                if stream.write_all(&record).is_err() {
                    break;
                }
                record.truncate(5);
                record.resize(5 + 0x4000, 0);
            }
        }),
    ];
    for (what, peer) in peers {
        let server = world.server_with(&profile, quick());
        let begun = Instant::now();
        let (outcome, ()) = against(server, move |address| {
            let mut stream = TcpStream::connect(address).expect("connect");
            peer(&mut stream);
        })
        .await;
        assert!(outcome.is_err(), "{what}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{what}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_peers_do_not_hold_back_others_until_too_many_wait() {
    let world = World::new();
    let mut bounds = quick();
    bounds.deadline = Duration::from_secs(30);
    let server = world.server_with(&world.profile(None), bounds);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let mut silent = Vec::new();
    let mut waiting = Vec::new();
    // One place is left of four.
    for _ in 0..bounds.pending - 1 {
        silent.push(
            tokio::net::TcpStream::connect(address)
                .await
                .expect("connect"),
        );
        let (stream, _) = listener.accept().await.expect("accept");
        let server = server.clone();
        waiting.push(tokio::spawn(async move {
            server
                .accept(stream)
                .await
                .map(|accepted| accepted.evidence)
        }));
        tokio::task::yield_now().await;
    }
    let client = world.client(world.client_ca.client(7));
    let good = tokio::spawn(async move {
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("connect");
        client.connect("localhost", stream).await.map(|_| ())
    });
    let (stream, _) = listener.accept().await.expect("accept");
    server
        .accept(stream)
        .await
        .expect("the good one gets through");
    good.await.expect("task").expect("client");

    silent.push(
        tokio::net::TcpStream::connect(address)
            .await
            .expect("connect"),
    );
    let (stream, _) = listener.accept().await.expect("accept");
    let last = server.clone();
    waiting.push(tokio::spawn(async move {
        last.accept(stream).await.map(|accepted| accepted.evidence)
    }));
    tokio::time::sleep(Duration::from_millis(50)).await;
    silent.push(
        tokio::net::TcpStream::connect(address)
            .await
            .expect("connect"),
    );
    let (stream, _) = listener.accept().await.expect("accept");
    let refused = server
        .accept(stream)
        .await
        .map(|accepted| accepted.evidence);
    assert_eq!(refused, Err(HandshakeError::Busy));
    for task in waiting {
        task.abort();
    }
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_cut_off() {
    let (near, _far) = tokio::io::duplex(16);
    let mut near = Stall::new(near, Duration::from_millis(50));
    near.write_all(&[0; 16]).await.expect("fits");
    let error = near.write_all(&[0; 16]).await.expect_err("stalled");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
