//! Where secrets are: the PIN in the custodian alone, private keys in the token
//! alone, content keys in core while it works on their message and never after.
//!
//! The token's keys cannot be read, so the test puts one in whose value it
//! knows, through a module that says of it what the custodian wants to hear; the
//! same module writes down every content key that it is given.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_world::memory::found_in_memory;
use chancery_world::{Node, good, told};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use sha2::{Digest as _, Sha256};

const FOLDER: &str = "CHANCERY_TEST_FOLDER";
/// The private key whose value is known.
const SCALAR: [u8; 32] = *b"a heron stands where none belong";

fn send_and_fetch(node: &Node, count: usize) {
    let (from, to) = (node.profile("csirt-alpha"), node.profile("cert-eu"));
    for number in 0..count {
        let subject = format!("number {number}");
        let _sent = good(
            &[
                "--json",
                "send",
                "-",
                "--profile",
                &from,
                "--to",
                "cert-eu",
                "--label",
                "UNCLASSIFIED",
                "--no-personal-data",
                "--subject",
                &subject,
            ],
            "text",
        );
    }
    let listed = good(&["--json", "inbox", "--profile", &to, "--limit", "200"], "");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let deliveries = listed["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), count);
    for delivery in deliveries {
        let id = delivery["delivery"].as_str().unwrap();
        let _whole = good(&["--json", "inbox", "--profile", &to, "--fetch", id], "");
        let _done = good(&["--json", "inbox", "--profile", &to, "--ack", id], "");
    }
}

/// Files below a folder that contain one of the secrets.
fn found_on_disk(folder: &Path, secrets: &[Vec<u8>], except: &[PathBuf], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found_on_disk(&path, secrets, except, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && !except.contains(&path)
        {
            let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
            if secrets.iter().any(|secret| holds(secret)) {
                found.push(path.display().to_string());
            }
        }
    }
}

#[test]
fn secrets_are_nowhere_but_where_they_belong() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    let public = p256::SecretKey::from_slice(&SCALAR).unwrap().public_key();
    let point = public.to_encoded_point(false);
    let witness = node.path("witness");
    node.make_token_failing(&format!(
        "known-key = {} {}\nwitness = {}\n",
        hex::encode(SCALAR),
        hex::encode(point.as_bytes()),
        node.token_store().join("witness").display(),
    ));
    let put = Command::new(std::env::current_exe().unwrap())
        .args([
            "a_key_whose_value_is_known",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("KRYOPTIC_CONF", node.token_store().join("token.conf"))
        .env(FOLDER, node.path("node"))
        .output()
        .unwrap();
    assert!(put.status.success(), "{}", told(&put));
    node.start();
    send_and_fetch(&node, 12);

    let pin = std::fs::read(node.path("node/data/token.pin")).unwrap();
    let text = std::fs::read_to_string(node.token_store().join("witness")).unwrap();
    std::fs::rename(node.token_store().join("witness"), &witness).unwrap();
    let content_keys: Vec<Vec<u8>> = text
        .lines()
        .map(|line| hex::decode(line).unwrap())
        .collect();
    assert!(content_keys.len() >= 12, "every message has its own");
    let mut backwards = SCALAR;
    backwards.reverse();
    let guarded = vec![pin.clone(), SCALAR.to_vec(), backwards.to_vec()];

    for (name, pid) in node.processes() {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        if name != "supervisor" {
            let words: Vec<&str> = core.unwrap().split_whitespace().collect();
            assert_eq!(words[4..6], ["0", "0"], "{name} may leave a core file");
        }
        if !rustix::process::geteuid().is_root() {
            // Nobody else of this user sees the memory: that is the property.
            if name != "supervisor" {
                found_in_memory(pid, &guarded).unwrap_err();
            }
            continue;
        }
        let found = found_in_memory(pid, &guarded).unwrap();
        if name == "custodian" {
            assert!(
                found.contains(&0),
                "the search finds what is there: the PIN"
            );
        } else {
            assert_eq!(
                found,
                Vec::<usize>::new(),
                "{name} has the PIN or a private key"
            );
            // Content keys pass through core; afterwards they are nowhere.
            let since = Instant::now();
            loop {
                let found = found_in_memory(pid, &content_keys).unwrap();
                if found.is_empty() {
                    break;
                }
                assert!(
                    since.elapsed() < Duration::from_secs(20),
                    "{name} keeps {} of {} content keys",
                    found.len(),
                    content_keys.len()
                );
                std::thread::park_timeout(Duration::from_millis(200));
            }
        }
    }
    // A message's key is needed again when it is fetched again: that works.
    send_and_fetch(&node, 1);
    node.stop();

    let own = [node.path("node/data/token.pin")];
    let mut all = guarded;
    all.extend(content_keys);
    all.push(hex::encode(SCALAR).into_bytes());
    let conf = node.token_store().join("shim.conf");
    std::fs::remove_file(conf).unwrap();
    std::fs::remove_file(node.token_store().join("witness")).unwrap();
    let mut found = Vec::new();
    found_on_disk(&node.path("node"), &all, &own, &mut found);
    found_on_disk(&node.path("csirt-alpha"), &all, &own, &mut found);
    let log = node.path("node.log");
    let log = std::fs::read(log).unwrap();
    assert!(
        !log.windows(pin.len()).any(|part| part == pin),
        "the PIN is in the log"
    );
    assert_eq!(found, Vec::<String>::new(), "secrets on disk");
}

/// In a process of its own, as the module wants it: puts the known key in the
/// place of `pgp/sign`.
#[test]
#[ignore = "started by the other test"]
fn a_key_whose_value_is_known() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let module = chancery_world::programs().join("libchancery_token.so");
    let module = Pkcs11::new(module).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let pin = std::fs::read_to_string(folder.join("data/token.pin")).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(pin.into())))
        .unwrap();
    let label = b"pgp/sign";
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        let template = [Attribute::Class(class), Attribute::Label(label.to_vec())];
        for object in session.find_objects(&template).unwrap() {
            session.destroy_object(object).unwrap();
        }
    }
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let both = [
        Attribute::Token(true),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(p256),
        Attribute::Label(label.to_vec()),
        Attribute::Id(Sha256::digest(label)[..16].to_vec()),
        Attribute::Modifiable(false),
        Attribute::Derive(false),
    ];
    let public = p256::SecretKey::from_slice(&SCALAR).unwrap().public_key();
    let mut der = vec![0x04, 0x41];
    der.extend_from_slice(public.to_encoded_point(false).as_bytes());
    let mut template = both.to_vec();
    template.extend([
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcPoint(der),
    ]);
    session.create_object(&template).unwrap();
    let mut template = both.to_vec();
    template.extend([
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Copyable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::AllowedMechanisms(vec![MechanismType::ECDSA]),
        Attribute::Value(SCALAR.to_vec()),
    ]);
    session.create_object(&template).unwrap();
}
