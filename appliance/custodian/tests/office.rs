//! What custodians order while the node is stopped, with the real program on
//! both tokens: a new PIN, another token; and what nobody may do without them.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod node;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_hsm_api::approval::{Record, Vote};
use chancery_hsm_custodian::{Ceremony, Dossier, ModuleKind, Proposal, RosterText, verify_chain};
use node::{Node, told};
use p256::ecdsa::SigningKey;

const HOUR: i64 = 3600 * 1_000_000;
const NEW_PIN: &[u8] = b"another pin 2718";

fn now() -> i64 {
    #[allow(clippy::disallowed_methods, reason = "what the real program reads too")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn people() -> Vec<(String, SigningKey)> {
    (1..=3u8)
        .map(|n| {
            (
                format!("person-{n}"),
                SigningKey::from_slice(&[n; 32]).unwrap(),
            )
        })
        .collect()
}

/// A node with three custodians of whom two must agree.
fn governed(kind: ModuleKind) -> Node {
    let node = Node::new(kind);
    assert!(node.provision().status.success());
    let custodians: BTreeMap<String, String> = people()
        .into_iter()
        .map(|(name, key)| {
            let point = key.verifying_key().to_encoded_point(false);
            (name, hex::encode(point.as_bytes()))
        })
        .collect();
    let roster = RosterText {
        needed: 2,
        custodians,
    };
    let file = node.path("roster");
    std::fs::write(&file, serde_json::to_vec(&roster).unwrap()).unwrap();
    let enrolled = node.command(&["enrol", "--roster", file.to_str().unwrap()]);
    assert!(enrolled.status.success(), "{}", told(&enrolled));
    node
}

/// Writes a dossier with the approvals of so many.
fn dossier(node: &Node, id: u8, operation: Ceremony, approvers: usize) -> String {
    let proposal = Proposal::new("chancery/test", [id; 16], now() + HOUR, operation);
    let approvals = people()
        .iter()
        .take(approvers)
        .zip(1..)
        .map(|((name, key), nonce)| {
            Record {
                node: proposal.node.clone(),
                operation: proposal.operation.operation().to_owned(),
                digest: proposal.digest(),
                vote: Vote::Approve,
                nonce: [nonce; 16],
                not_after: now() + HOUR,
            }
            .sign(name, key)
            .unwrap()
        })
        .collect();
    let file = node.path(&format!("dossier-{id}"));
    let dossier = Dossier {
        proposal,
        approvals,
    };
    std::fs::write(&file, serde_json::to_vec(&dossier).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn put(path: &Path, pin: &[u8]) {
    drop(std::fs::remove_file(path));
    std::fs::write(path, pin).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400)).unwrap();
}

fn opens(node: &Node) {
    let keys = node.command(&["keys"]);
    assert!(keys.status.success(), "{}", told(&keys));
}

fn log(node: &Node) -> String {
    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    verify_chain(log.as_bytes()).unwrap();
    log
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            drop(std::fs::remove_file(&target));
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn the_pin_is_changed(kind: ModuleKind) {
    let node = governed(kind);
    let (pin, next) = (node.path("pin"), node.path("pin.next"));
    let old = std::fs::read(&pin).unwrap();
    put(&next, NEW_PIN);
    // One is not enough; two are.
    let alone = node.command(&["perform", &dossier(&node, 1, Ceremony::ChangePin {}, 1)]);
    assert!(told(&alone).contains("1 of 2"), "{}", told(&alone));
    assert_eq!(std::fs::read(&pin).unwrap(), old);
    let both = dossier(&node, 2, Ceremony::ChangePin {}, 2);
    let done = node.command(&["perform", &both]);
    assert!(done.status.success(), "{}", told(&done));
    assert_eq!(std::fs::read(&pin).unwrap(), NEW_PIN);
    assert!(!next.exists());
    opens(&node);
    // Not a second time, and the old PIN opens nothing any more.
    put(&next, b"a third pin 3141");
    let again = node.command(&["perform", &both]);
    assert!(told(&again).contains("before"), "{}", told(&again));
    opens(&node);
    std::fs::remove_file(&next).unwrap();
    put(&pin, &old);
    let refused = node.command(&["keys"]);
    assert!(
        told(&refused).contains("refused the PIN"),
        "{}",
        told(&refused)
    );
    put(&pin, NEW_PIN);
    opens(&node);
    let pins = [old, NEW_PIN.to_vec()].map(|pin| String::from_utf8(pin).unwrap());
    assert!(pins.iter().all(|pin| !log(&node).contains(pin)));
}

#[test]
fn the_pin_of_kryoptic_is_changed_by_two_custodians() {
    the_pin_is_changed(ModuleKind::Kryoptic);
}

#[test]
fn the_pin_of_softhsm_is_changed_by_two_custodians() {
    the_pin_is_changed(ModuleKind::Softhsm);
}

/// The disk as a crash would leave it: the log ends behind `ceremony.begun`,
/// both PIN files are there, and the token has the one PIN or the other.
fn a_crash_locks_nobody_out(kind: ModuleKind, changed: bool) {
    let node = governed(kind);
    let (pin, next) = (node.path("pin"), node.path("pin.next"));
    let old = std::fs::read(&pin).unwrap();
    copy(&node.path("token"), &node.path("token-before"));
    put(&next, NEW_PIN);
    let both = dossier(&node, 3, Ceremony::ChangePin {}, 2);
    assert!(node.command(&["perform", &both]).status.success());
    let begun: String = log(&node)
        .lines()
        .take_while(|line| !line.contains("ceremony.done"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(begun.lines().last().unwrap().contains("ceremony.begun"));
    std::fs::write(node.path("state/custodian.log"), begun).unwrap();
    put(&pin, &old);
    put(&next, NEW_PIN);
    if !changed {
        std::fs::remove_dir_all(node.path("token")).unwrap();
        copy(&node.path("token-before"), &node.path("token"));
    }
    // Another fault than the PIN is no reason to touch the files.
    let settings = std::fs::read_to_string(node.path("custodian.toml")).unwrap();
    let wrong = settings.replace("label = \"test-node\"", "label = \"test-nodf\"");
    std::fs::write(node.path("custodian.toml"), wrong).unwrap();
    assert!(!node.command(&["keys"]).status.success());
    assert_eq!(std::fs::read(&pin).unwrap(), old);
    assert_eq!(std::fs::read(&next).unwrap(), NEW_PIN);
    std::fs::write(node.path("custodian.toml"), settings).unwrap();

    opens(&node);
    let holds = if changed { NEW_PIN } else { &old };
    assert_eq!(std::fs::read(&pin).unwrap(), holds);
    let tries = std::fs::read_to_string(node.path("state/pin-tries")).unwrap();
    assert_eq!(tries, "wrong 0\nunfinished 0\n");
    // A command that governs writes down how it ended.
    let replay = node.command(&["perform", &both]);
    assert!(told(&replay).contains("before"), "{}", told(&replay));
    let ended = if changed {
        "ceremony.done"
    } else {
        "ceremony.abandoned"
    };
    let log = log(&node);
    let ends: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("ceremony.done") || line.contains("ceremony.abandoned"))
        .collect();
    assert!(ends.len() == 1 && ends[0].contains(ended), "{ends:?}");
    opens(&node);
    // A wrong PIN after all that is tried three times, and the next file is
    // never tried for it.
    put(&pin, b"a wrong pin 123");
    put(&next, b"a wrong pin 456");
    for tries in 1..=5 {
        assert!(!node.command(&["keys"]).status.success());
        let count = std::fs::read_to_string(node.path("state/pin-tries")).unwrap();
        assert!(
            count.starts_with(&format!("wrong {}\n", tries.min(3))),
            "{count}"
        );
    }
}

#[test]
fn a_crash_before_kryoptic_has_the_new_pin_locks_nobody_out() {
    a_crash_locks_nobody_out(ModuleKind::Kryoptic, false);
}

#[test]
fn a_crash_after_kryoptic_has_the_new_pin_locks_nobody_out() {
    a_crash_locks_nobody_out(ModuleKind::Kryoptic, true);
}

#[test]
fn a_crash_before_softhsm_has_the_new_pin_locks_nobody_out() {
    a_crash_locks_nobody_out(ModuleKind::Softhsm, false);
}

#[test]
fn a_crash_after_softhsm_has_the_new_pin_locks_nobody_out() {
    a_crash_locks_nobody_out(ModuleKind::Softhsm, true);
}

#[test]
fn three_tries_over_both_pin_files_and_no_fourth() {
    let node = governed(ModuleKind::Kryoptic);
    let next = node.path("pin.next");
    put(&next, NEW_PIN);
    let both = dossier(&node, 4, Ceremony::ChangePin {}, 2);
    assert!(node.command(&["perform", &both]).status.success());
    let begun: String = log(&node)
        .lines()
        .take_while(|line| !line.contains("ceremony.done"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(node.path("state/custodian.log"), begun).unwrap();
    // Neither file has the PIN.
    put(&node.path("pin"), b"a wrong pin 123");
    put(&next, b"a wrong pin 456");
    for expected in [2, 3, 3, 3] {
        assert!(!node.command(&["keys"]).status.success());
        let count = std::fs::read_to_string(node.path("state/pin-tries")).unwrap();
        assert!(count.starts_with(&format!("wrong {expected}\n")), "{count}");
    }
    assert_eq!(std::fs::read(node.path("pin")).unwrap(), b"a wrong pin 123");
    assert_eq!(std::fs::read(&next).unwrap(), b"a wrong pin 456");
}

#[test]
fn once_custodians_are_enrolled_nobody_makes_keys_or_exchanges_the_token_alone() {
    let (node, other) = (
        governed(ModuleKind::Kryoptic),
        governed(ModuleKind::Kryoptic),
    );
    std::fs::write(node.path("roles"), "kek/4/newcomer\n").unwrap();
    let made = node.provision();
    assert!(
        told(&made).contains("this node has custodians"),
        "{}",
        told(&made)
    );
    assert!(log(&node).contains("\"operation\":\"key.make\",\"outcome\":\"refused\""));

    for name in ["token/token.sql", "pin"] {
        std::fs::remove_file(node.path(name)).unwrap();
        std::fs::copy(other.path(name), node.path(name)).unwrap();
    }
    let alone = node.command(&["bind-token"]);
    assert!(told(&alone).contains("must agree"), "{}", told(&alone));
    let serial = told(&alone)
        .lines()
        .filter(|line| line.starts_with("chancery-custodian: "))
        .find_map(|line| Some(line.split_once("bind-token ")?.1.trim().to_owned()))
        .unwrap();
    let bind = |id, serial: &str, approvers| {
        let operation = Ceremony::BindToken {
            serial: serial.to_owned(),
        };
        node.command(&["bind-token", &dossier(&node, id, operation, approvers)])
    };
    assert!(!bind(10, &serial, 1).status.success());
    assert!(told(&bind(11, "0815", 2)).contains("serial number"));
    let other_thing = dossier(&node, 12, Ceremony::ChangePin {}, 2);
    assert!(!node.command(&["bind-token", &other_thing]).status.success());
    assert!(!node.command(&["keys"]).status.success());
    let bound = bind(13, &serial, 2);
    assert!(bound.status.success(), "{}", told(&bound));
    opens(&node);
}
