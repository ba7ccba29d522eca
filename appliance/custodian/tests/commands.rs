//! The commands of whoever sets up a token.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod node;

use std::os::unix::fs::PermissionsExt as _;

use chancery_hsm_custodian::{ModuleKind, verify_chain};
use node::{Node, told};

fn json(output: &std::process::Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", told(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn a_node_is_provisioned_once_and_shows_its_keys(kind: ModuleKind) {
    let node = Node::new(kind);
    let made = json(&node.provision());
    assert_eq!(made["token"]["label"], "test-node");
    let keys = made["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 11);
    for key in keys {
        let role = key["role"].as_str().unwrap();
        let pair = !(role.starts_with("kek/") || role.starts_with("mac/"));
        assert_eq!(key["public"].is_string(), pair, "{role}");
    }
    let origin = made["checkpoint_key"].as_str().unwrap();
    assert!(origin.starts_with("chancery/test+"), "{origin}");

    for pin in ["pin", "officer-pin"] {
        let mode = std::fs::metadata(node.path(pin))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o400, "{pin}");
    }
    // Again, and by `keys`: the same.
    assert_eq!(json(&node.provision()), made);
    assert_eq!(json(&node.command(&["keys"])), made);

    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    verify_chain(log.as_bytes()).unwrap();
    assert_eq!(log.matches("\"key.make\"").count(), 11);
    assert_eq!(log.matches("\"token.initialised\"").count(), 1);
}

#[test]
fn kryoptic_is_provisioned_once_and_shows_its_keys() {
    a_node_is_provisioned_once_and_shows_its_keys(ModuleKind::Kryoptic);
}

#[test]
fn softhsm_is_provisioned_once_and_shows_its_keys() {
    a_node_is_provisioned_once_and_shows_its_keys(ModuleKind::Softhsm);
}

#[test]
fn pins_stand_in_no_file_but_their_own_and_in_no_output() {
    let node = Node::new(ModuleKind::Kryoptic);
    let made = node.provision();
    let pins = ["pin", "officer-pin"].map(|pin| std::fs::read_to_string(node.path(pin)).unwrap());
    let shown = format!("{}{}", String::from_utf8_lossy(&made.stdout), told(&made));
    assert!(
        pins.iter()
            .all(|pin| pin.len() == 32 && !shown.contains(pin.as_str()))
    );
    let mut folders = vec![node.path("state"), node.path("token")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for pin in &pins {
                let found = bytes.windows(pin.len()).any(|part| part == pin.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
    assert!(files >= 4, "log, count, book's folder, token: {files}");
}

#[test]
fn wrong_pins_stop_at_three_over_restarts_until_someone_resets_them() {
    let node = Node::new(ModuleKind::Kryoptic);
    json(&node.provision());
    let right = std::fs::read(node.path("pin")).unwrap();
    let put = |pin: &[u8]| {
        std::fs::remove_file(node.path("pin")).unwrap();
        std::fs::write(node.path("pin"), pin).unwrap();
        let mode = std::fs::Permissions::from_mode(0o400);
        std::fs::set_permissions(node.path("pin"), mode).unwrap();
    };
    put(b"a wrong pin 123");
    for _ in 0..3 {
        let output = node.command(&["keys"]);
        assert!(!output.status.success());
        assert!(
            told(&output).contains("refused the PIN"),
            "{}",
            told(&output)
        );
    }
    put(&right);
    let output = node.command(&["keys"]);
    assert!(told(&output).contains("reset-tries"), "{}", told(&output));
    assert!(node.command(&["reset-tries"]).status.success());
    json(&node.command(&["keys"]));
    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    assert!(log.contains("pin-tries.reset"));
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    let node = Node::new(ModuleKind::Kryoptic);
    let fails = |args: &[&str], part: &str| {
        let output = node.command(args);
        assert!(!output.status.success());
        let told = told(&output);
        let line = told
            .lines()
            .find(|line| line.starts_with("chancery-custodian: "));
        assert!(
            line.is_some_and(|line| line.contains(part)),
            "{part}: {told}"
        );
    };
    let roles = node.path("roles");
    let roles = roles.to_str().unwrap();
    fails(&["provision", "--roles-file", roles], "--officer-pin-file");
    std::fs::write(node.path("bad"), "kek/intake\nkek/9/acme\n").unwrap();
    let bad = node.path("bad");
    fails(
        &["provision", "--roles-file", bad.to_str().unwrap()],
        "line 2: `kek/9/acme`",
    );
    fails(&["provision", "--roles-file", "/nowhere"], "/nowhere");
    json(&node.provision());
    let open = std::fs::Permissions::from_mode(0o440);
    std::fs::set_permissions(node.path("pin"), open).unwrap();
    fails(&["keys"], "0400");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(node.path("state"), open).unwrap();
    fails(&["keys"], "0700");
}
