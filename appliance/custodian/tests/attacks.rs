//! A client of the custodian that was taken over, on both tokens: what it tries
//! beyond its role is refused, and every try stands in the custodian's log.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod node;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    ContentKeys as _, DoorZone, KekId, KeyError, KeyErrorKind, KeyRole, MacUse, Macs as _,
    PgpDecryption as _, PgpSigning as _, PublicKeys as _, TlsSigning as _, WrapScheme, WrappedKey,
};
use chancery_hsm_custodian::{Answer, CustodyClient, ModuleKind, verify_chain};
use chancery_ipc::blocking::Channel;
use chancery_ipc::supervise::{Ask, Child, Supervisor};
use chancery_ipc::{Command, Limits, Links, Tag};
use node::{Node, program};
use tokio::sync::mpsc;

const PART: &str = "CHANCERY_TEST_PART";
const FOLDER: &str = "CHANCERY_TEST_FOLDER";
const CLIENTS: [&str; 4] = ["core", "door-rest", "door-siena", "reader-mail"];

/// What was tried: what it is, how it ended, and what the log must tell of it.
type Tried = Vec<(String, Option<KeyErrorKind>, String)>;

/// The client that was taken over, in a process of its own.
#[test]
#[ignore = "the far end of the other tests, started by the supervisor"]
fn far_end() {
    let name = std::env::var(PART).unwrap();
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let links = Links::from_process(Path::new("/run/chancery")).unwrap();
    links.start().unwrap();
    let tag = Tag::between("custodian", &name).unwrap();
    let channel = std::sync::Arc::new(Channel::new(&links, tag, Limits::secret()).unwrap());
    let asking = std::sync::Arc::clone(&channel);
    let ask = move |request: &[u8]| asking.roundtrip(request, Duration::from_secs(20));
    let client = CustodyClient::new(ask.clone()).with_patience(Duration::from_secs(20));
    links.ready().unwrap();
    let mut tried = match name.as_str() {
        "core" => core(&client),
        "reader-mail" => reader(&client),
        door => a_door(&client, door.trim_start_matches("door-").parse().unwrap()),
    };
    // No request reads an attribute or a key's value: each number that names
    // nothing is no request at all.
    for number in [60, 90, 127] {
        let raw = ask(&[1, number]).unwrap();
        let reply: Result<Answer, KeyError> = postcard::from_bytes(&raw[1..]).unwrap();
        let kind = reply.err().map(|error| error.kind);
        tried.push((
            "a request that does not exist".to_owned(),
            kind,
            "malformed".to_owned(),
        ));
    }
    let result = folder.join(format!("{name}.result"));
    let fresh = result.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(&tried).unwrap()).unwrap();
    std::fs::rename(fresh, result).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    while runtime.block_on(links.commands().next()) != Command::Stop {}
}

fn note<T>(tried: &mut Tried, what: &str, logged: &str, done: Result<T, KeyError>) {
    let kind = done.err().map(|error| error.kind);
    tried.push((what.to_owned(), kind, logged.to_owned()));
}

fn core(client: &CustodyClient) -> Tried {
    let mut tried = Tried::new();
    let kek = |rank: u8| -> KekId { format!("kek/{rank}/acme").parse().unwrap() };
    let (key, secret) = client.new_content_key(&kek(3)).unwrap();
    let lowered = WrappedKey {
        kek: kek(1),
        ..secret.clone()
    };
    let level = "another level's KEK";
    note(
        &mut tried,
        level,
        "kek/1/acme: ",
        client.unwrap_key(&lowered),
    );
    let moved = client.rewrap_key(&lowered, &kek(1));
    note(&mut tried, level, "kek/1/acme: ", moved);
    // Wrap, then decrypt: what was wrapped is handed in as a ciphertext.
    for (scheme, length) in [
        (WrapScheme::AesGcm, 60),
        (WrapScheme::RsaOaepSha1, 384),
        (WrapScheme::AesKwp, 40),
    ] {
        let mut blob = secret.blob.clone();
        blob.resize(length, 0);
        let other = WrappedKey {
            scheme,
            blob,
            ..secret.clone()
        };
        let what = format!("wrap, then decrypt by {scheme}");
        note(&mut tried, &what, "kek/3/acme: ", client.unwrap_key(&other));
    }
    for role in [KeyRole::Kek(kek(3)), KeyRole::Mac(MacUse::Row)] {
        let logged = format!("{role}: this client's role");
        let what = "a key that has no public half";
        note(&mut tried, what, &logged, client.public_key(&role));
    }
    let rest = KeyRole::Tls(DoorZone::Rest);
    let signed = client.tls_sign(DoorZone::Rest, &[0; 130]);
    note(
        &mut tried,
        "a door's key",
        &format!("{rest}: this client"),
        signed,
    );
    let agreed = client.pgp_agree(&[4; 65]);
    note(
        &mut tried,
        "the reader's key",
        "pgp/decrypt: this client",
        agreed,
    );
    assert_eq!(
        client.unwrap_key(&secret).unwrap(),
        key,
        "what is core's works"
    );
    tried
}

fn a_door(client: &CustodyClient, own: DoorZone) -> Tried {
    let mut tried = Tried::new();
    for zone in DoorZone::ALL.into_iter().filter(|zone| *zone != own) {
        let logged = format!("tls/{zone}: this client's role does not include it");
        let what = "another zone's handshake";
        note(&mut tried, what, &logged, client.tls_sign(zone, b"x"));
        let public = client.public_key(&KeyRole::Tls(zone));
        note(&mut tried, "another zone's key", &logged, public);
    }
    not_cores(&mut tried, client);
    let agreed = client.pgp_agree(&[4; 65]);
    note(
        &mut tried,
        "the reader's key",
        "pgp/decrypt: this client",
        agreed,
    );
    let signed = client.tls_sign(own, b"a certificate");
    note(
        &mut tried,
        "no handshake",
        "no TLS 1.3 CertificateVerify",
        signed,
    );
    tried
}

fn reader(client: &CustodyClient) -> Tried {
    let mut tried = Tried::new();
    for zone in DoorZone::ALL {
        let logged = format!("tls/{zone}: this client's role does not include it");
        let what = "a door's handshake";
        note(&mut tried, what, &logged, client.tls_sign(zone, b"x"));
    }
    not_cores(&mut tried, client);
    tried
}

fn not_cores(tried: &mut Tried, client: &CustodyClient) {
    let wrapped = WrappedKey {
        kek: KekId::Intake,
        generation: 1,
        scheme: WrapScheme::AesKw,
        blob: vec![0; 40],
    };
    note(
        tried,
        "a content key",
        "kek/intake: this client",
        client.unwrap_key(&wrapped),
    );
    note(
        tried,
        "a digest",
        "mac/row: this client",
        client.mac(MacUse::Row, b"x"),
    );
    note(
        tried,
        "a signature",
        "pgp/sign: this client",
        client.pgp_sign(&[7; 32]),
    );
}

fn all_is_refused_and_recorded(kind: ModuleKind) {
    let node = Node::new(kind);
    assert!(node.provision().status.success());
    let mut children = vec![Child {
        name: "custodian".to_owned(),
        program: program().to_owned(),
        args: vec!["--config".into(), node.path("custodian.toml").into()],
        env: vec![("RUST_LOG".into(), "info".into())],
        stage: 0,
        asks: Vec::new(),
    }];
    children.extend(CLIENTS.map(|client| {
        Child {
            name: client.to_owned(),
            program: std::env::current_exe().unwrap(),
            args: ["far_end", "--exact", "--ignored", "--nocapture"]
                .map(Into::into)
                .to_vec(),
            env: vec![
                (PART.into(), client.into()),
                (FOLDER.into(), node.path("").into()),
            ],
            stage: 1,
            asks: vec![Ask {
                server: "custodian".to_owned(),
                tag: Tag::between("custodian", client).unwrap(),
            }],
        }
    }));
    let supervisor = Supervisor::new(children).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (orders, receiver) = mpsc::channel(1);
    let files = CLIENTS.map(|client| (client, node.path(&format!("{client}.result"))));
    let waiting = std::thread::spawn(move || {
        let all = files.map(|(client, file)| (client, tried_by(&file)));
        orders.blocking_send(Command::Stop).unwrap();
        (all, orders)
    });
    runtime.block_on(supervisor.run(receiver, |_| ())).unwrap();
    let (all, _orders) = waiting.join().unwrap();

    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    verify_chain(log.as_bytes()).unwrap();
    let mut count = 0;
    for (client, tried) in all {
        let name = client.replace('-', "/");
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(&format!("\"client\":\"{name}\"")))
            .filter(|line| line.contains("\"outcome\":\"refused\""))
            .collect();
        assert_eq!(
            lines.len(),
            tried.len(),
            "{client}: each has its line: {lines:#?}"
        );
        for (what, kind, logged) in &tried {
            assert!(
                matches!(kind, Some(KeyErrorKind::Denied | KeyErrorKind::Data)),
                "{client} tried {what}: {kind:?}"
            );
            let told = lines.iter().any(|line| line.contains(logged.as_str()));
            assert!(told, "{client} tried {what}: {logged} in {lines:#?}");
            count += 1;
        }
    }
    assert!(count >= 40, "{count} attacks");
}

fn tried_by(file: &Path) -> Tried {
    let since = Instant::now();
    loop {
        if let Ok(text) = std::fs::read(file) {
            return serde_json::from_slice(&text).unwrap();
        }
        let waited = since.elapsed();
        assert!(waited < Duration::from_secs(60), "{}", file.display());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn on_kryoptic_all_is_refused_and_recorded() {
    all_is_refused_and_recorded(ModuleKind::Kryoptic);
}

#[test]
fn on_softhsm_all_is_refused_and_recorded() {
    all_is_refused_and_recorded(ModuleKind::Softhsm);
}
