//! Time moved under the real custodian (`faketime`): each role's key ends to
//! the second, and what it made is opened until its own end.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod node;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    CheckpointRequest, Checkpoints as _, ContentKeys as _, DoorZone, KekId, KeyError, KeyErrorKind,
    MacUse, Macs as _, PgpDecryption as _, PgpSigning as _, TlsSigning as _, WrappedKey,
};
use chancery_hsm_custodian::{CustodyClient, ModuleKind};
use chancery_ipc::blocking::Channel;
use chancery_ipc::supervise::{Ask, Child, Supervisor};
use chancery_ipc::{Command, Limits, Links, Tag};
use node::{Node, program, told};
use tokio::sync::mpsc;

const PART: &str = "CHANCERY_TEST_PART";
const FOLDER: &str = "CHANCERY_TEST_FOLDER";
const CLIENTS: [&str; 5] = [
    "core",
    "door-rest",
    "door-mail",
    "door-siena",
    "reader-mail",
];

/// Keys make things for ten days and open them for twenty.
const PERIODS: &str = "\n[periods]\n\
    kek = { make_days = 10, open_days = 20 }\nmac = { make_days = 10, open_days = 20 }\n\
    checkpoint = { make_days = 10, open_days = 20 }\npgp_sign = { make_days = 10, open_days = 20 }\n\
    pgp_decrypt = { make_days = 10, open_days = 20 }\ntls = { make_days = 10, open_days = 20 }\n";

/// A client's end: uses its keys once, and tells which were let.
#[test]
#[ignore = "the far end of the other test, started by the supervisor"]
fn far_end() {
    let name = std::env::var(PART).unwrap();
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let links = Links::from_process(Path::new("/run/chancery")).unwrap();
    links.start().unwrap();
    let tag = Tag::between("custodian", &name).unwrap();
    let channel = Channel::new(&links, tag, Limits::secret()).unwrap();
    let client =
        CustodyClient::new(move |request| channel.roundtrip(request, Duration::from_secs(20)))
            .with_patience(Duration::from_secs(20));
    links.ready().unwrap();
    let used = use_keys(&name, &client, &folder);
    let result = folder.join(format!("{name}.result"));
    let fresh = result.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(&used).unwrap()).unwrap();
    std::fs::rename(fresh, result).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    while runtime.block_on(links.commands().next()) != Command::Stop {}
}

fn handshake() -> Vec<u8> {
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    message
}

fn use_keys(name: &str, client: &CustodyClient, folder: &Path) -> BTreeMap<String, bool> {
    let mut used = BTreeMap::new();
    let mut note = |what: &str, done: Result<(), KeyError>| {
        let let_in = match done {
            Ok(()) => true,
            Err(error) if error.kind == KeyErrorKind::Denied => false,
            Err(error) => panic!("{what}: {error}"),
        };
        used.insert(what.to_owned(), let_in);
    };
    match name {
        "core" => {
            let label: KekId = "kek/3/acme".parse().unwrap();
            for kek in [KekId::Intake, label] {
                let made = client.new_content_key(&kek);
                let file = folder.join(kek.to_string().replace('/', "-"));
                if let Ok((_, wrapped)) = &made
                    && !file.exists()
                {
                    std::fs::write(&file, serde_json::to_vec(wrapped).unwrap()).unwrap();
                }
                note(&format!("make {kek}"), made.map(|_| ()));
                let wrapped: WrappedKey =
                    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
                note(
                    &format!("open {kek}"),
                    client.unwrap_key(&wrapped).map(|_| ()),
                );
            }
            for usage in [MacUse::Row, MacUse::Index] {
                note(
                    &format!("open mac {usage:?}"),
                    client.mac(usage, b"x").map(|_| ()),
                );
            }
            note("make pgp-sign", client.pgp_sign(&[7; 32]).map(|_| ()));
            let request = CheckpointRequest {
                origin: "chancery/test".to_owned(),
                size: 1,
                root: [1; 32],
                consistency: Vec::new(),
            };
            note(
                "make checkpoint",
                client.sign_checkpoint(&request).map(|_| ()),
            );
        }
        "reader-mail" => {
            let key = p256::SecretKey::from_slice(&[7; 32]).unwrap().public_key();
            let point = key.to_sec1_bytes();
            note("open pgp-decrypt", client.pgp_agree(&point).map(|_| ()));
        }
        door => {
            let zone: DoorZone = door.trim_start_matches("door-").parse().unwrap();
            note(
                &format!("make tls-{zone}"),
                client.tls_sign(zone, &handshake()).map(|_| ()),
            );
        }
    }
    used
}

/// The environment of a process for which it is always that moment.
fn at(moment: &str) -> Vec<(OsString, OsString)> {
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| panic!("faketime is not there: install it"));
    [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", moment),
        ("TZ", "UTC"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DISABLE_SHM", "1"),
        ("RUST_LOG", "info"),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect()
}

/// What is let at that moment.
fn used_at(node: &Node, moment: &str) -> BTreeMap<String, bool> {
    let mut children = vec![Child {
        name: "custodian".to_owned(),
        program: program().to_owned(),
        args: vec!["--config".into(), node.path("custodian.toml").into()],
        env: at(moment),
        stage: 0,
        asks: Vec::new(),
    }];
    for client in CLIENTS {
        let _old = std::fs::remove_file(node.path(&format!("{client}.result")));
        children.push(Child {
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
        });
    }
    let supervisor = Supervisor::new(children).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (orders, receiver) = mpsc::channel(1);
    let files = CLIENTS.map(|client| node.path(&format!("{client}.result")));
    let waiting = std::thread::spawn(move || {
        let mut all = BTreeMap::new();
        for file in files {
            let since = Instant::now();
            let text = loop {
                if let Ok(text) = std::fs::read(&file) {
                    break text;
                }
                assert!(
                    since.elapsed() < Duration::from_secs(60),
                    "{}",
                    file.display()
                );
                std::thread::park_timeout(Duration::from_millis(20));
            };
            all.append(&mut serde_json::from_slice(&text).unwrap());
        }
        orders.blocking_send(Command::Stop).unwrap();
        (all, orders)
    });
    runtime.block_on(supervisor.run(receiver, |_| ())).unwrap();
    waiting.join().unwrap().0
}

#[test]
fn every_role_ends_to_the_second_under_the_real_daemon() {
    let node = Node::new(ModuleKind::Kryoptic);
    let settings = node.path("custodian.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text + PERIODS).unwrap();
    // The keys are activated at the first moment of the year.
    let made = Process::new(program())
        .args(["provision", "--make-pins", "--roles-file"])
        .arg(node.path("roles"))
        .arg("--officer-pin-file")
        .arg(node.path("officer-pin"))
        .arg("--config")
        .arg(&settings)
        .env_clear()
        .envs(at("2027-01-01 00:00:00"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", told(&made));

    for (moment, makes, opens) in [
        ("2027-01-01 00:00:00", true, true),
        ("2027-01-10 23:59:59", true, true),
        ("2027-01-11 00:00:01", false, true),
        ("2027-01-20 23:59:59", false, true),
        ("2027-01-21 00:00:01", false, false),
    ] {
        let used = used_at(&node, moment);
        assert_eq!(used.len(), 12, "{used:?}");
        for (what, let_in) in &used {
            let expected = if what.starts_with("make") {
                makes
            } else {
                opens
            };
            assert_eq!(*let_in, expected, "{what} at {moment}");
        }
    }
}
