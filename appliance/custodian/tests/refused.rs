//! What the custodian does not start with: it says why in one line, and
//! records it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may end where it fails"
)]

mod node;

use std::process::Command;

use chancery_hsm_custodian::{ModuleKind, verify_chain};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use node::{Node, told};
use sha2::Digest as _;

/// Neither a command nor the service starts, and both say so in one line.
fn refuses(node: &Node, why: &str) {
    let output = node.command(&["keys"]);
    assert!(!output.status.success(), "{why}");
    let text = told(&output);
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with("chancery-custodian: "));
    let line = lines.next().unwrap_or_else(|| panic!("{why}: {text}"));
    assert!(
        line.contains(why) && lines.next().is_none(),
        "{why}: {text}"
    );

    let output = node.command(&[]);
    assert!(!output.status.success(), "{why}");
    assert!(told(&output).contains(why), "{why}: {}", told(&output));
    if let Ok(log) = std::fs::read_to_string(node.path("state/custodian.log")) {
        verify_chain(log.as_bytes()).unwrap();
        let last = log.lines().rfind(|line| line.contains("custodian.start"));
        assert!(
            last.is_some_and(|line| line.contains("\"refused\"") && line.contains(&why[..10])),
            "{why}: {log}"
        );
    }
}

fn edit(node: &Node, from: &str, to: &str) {
    let path = node.path("custodian.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

fn made() -> Node {
    made_on(ModuleKind::Kryoptic)
}

fn made_on(kind: ModuleKind) -> Node {
    let node = Node::new(kind);
    assert!(node.provision().status.success());
    assert!(node.command(&["keys"]).status.success());
    node
}

#[test]
fn a_token_of_another_node() {
    let (node, other) = (made(), made());
    // The same label, keys of the same names, even the same PIN.
    for name in ["token/token.sql", "pin"] {
        std::fs::remove_file(node.path(name)).unwrap();
        std::fs::copy(other.path(name), node.path(name)).unwrap();
    }
    refuses(&node, "this is another token");
    // On purpose, by whoever has the machine: recorded.
    let bound = node.command(&["bind-token"]);
    assert!(bound.status.success(), "{}", told(&bound));
    assert!(node.command(&["keys"]).status.success());
    let log = std::fs::read_to_string(node.path("state/custodian.log")).unwrap();
    assert_eq!(log.matches("token.bound").count(), 2);
}

#[test]
fn a_token_with_another_label() {
    let node = made();
    edit(&node, "label = \"test-node\"", "label = \"test-nodf\"");
    refuses(&node, "no token has the label `test-nodf`");
}

#[test]
fn a_token_with_another_serial_number() {
    let node = made();
    edit(&node, "[token]\n", "[token]\nserial = \"1234\"\n");
    refuses(&node, "and the serial number 1234");
    edit(
        &node,
        "serial = \"1234\"",
        "uri = \"pkcs11:token=test-node;serial=12\"",
    );
    refuses(&node, "and the serial number 12");
}

#[test]
fn a_uri_instead_of_the_rest() {
    let node = made();
    let (module, pin) = (node.module(), node.path("pin"));
    let (module, pin) = (module.display(), pin.display());
    let text = std::fs::read_to_string(node.path("custodian.toml")).unwrap();
    let kept: String = text
        .lines()
        .filter(|line| {
            !["module =", "label =", "[pin]", "file ="]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let uri =
        format!("uri = \"pkcs11:token=test-node?module-path={module}&pin-source=file:{pin}\"\n");
    std::fs::write(node.path("custodian.toml"), kept + &uri).unwrap();
    let output = node.command(&["keys"]);
    assert!(output.status.success(), "{}", told(&output));
    edit(&node, "pin-source", "pin-value=geheim-geheim&pin-source");
    let output = node.command(&["keys"]);
    assert!(!output.status.success());
    assert!(told(&output).contains("`pin-value` is refused"));
    assert!(!told(&output).contains("geheim"));
}

#[test]
fn two_tokens_with_one_label() {
    let node = made();
    let second = node.path("token/second.sql");
    let conf = node.path("token/token.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    let more = format!("[[slots]]\nslot = 2\ndbtype = \"sqlite\"\ndbargs = {second:?}\n");
    std::fs::write(&conf, text + &more).unwrap();
    in_the_module(&node, "second");
    refuses(&node, "2 tokens have the label `test-node`");
}

#[test]
fn a_module_that_is_none_or_is_another() {
    let node = made();
    let real = node.module().display().to_string();
    let plain = node.path("plain.so");
    std::fs::write(&plain, "not a library").unwrap();
    edit(&node, &real, plain.to_str().unwrap());
    refuses(&node, "load the PKCS#11 module");
    // A library, but none of PKCS#11.
    edit(&node, plain.to_str().unwrap(), &libc());
    refuses(&node, "C_GetFunctionList");
    // The right one, but not the very file whose hash is pinned.
    let hash = hex::encode(sha2::Sha256::digest(std::fs::read(&real).unwrap()));
    let pinned = format!("{:?}\nmodule_sha256 = {hash:?}", node.path("copy.so"));
    edit(&node, &format!("{:?}", libc()), &pinned);
    std::fs::copy(&real, node.path("copy.so")).unwrap();
    assert!(node.command(&["keys"]).status.success(), "the same file");
    let mut bytes = std::fs::read(&real).unwrap();
    bytes.push(0);
    std::fs::write(node.path("copy.so"), bytes).unwrap();
    refuses(&node, "is not the file whose hash");
}

#[test]
fn a_key_that_wraps_and_decrypts() {
    for kind in [ModuleKind::Kryoptic, ModuleKind::Softhsm] {
        let node = made_on(kind);
        in_the_module(&node, "decrypts");
        refuses(&node, "kek/2/acme is refused: its Decrypt is not false");
    }
}

#[test]
fn a_kek_that_may_leave_the_token() {
    for kind in [ModuleKind::Kryoptic, ModuleKind::Softhsm] {
        let node = made_on(kind);
        in_the_module(&node, "leaves");
        refuses(&node, "kek/2/acme is refused: its Extractable is not false");
    }
}

#[test]
fn what_a_token_can_do_is_shown() {
    let node = made();
    let output = node.command(&["capabilities"]);
    assert!(output.status.success(), "{}", told(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |plan: &str| {
        let mut rows = text.lines().filter(|line| line.contains(plan));
        rows.next()
            .unwrap_or_else(|| panic!("{plan}: {text}"))
            .to_owned()
    };
    assert!(row("aes-kw ").contains("chosen"), "{text}");
    assert!(
        row("aes-kwp").contains("lacks CKM_AES_KEY_WRAP_PAD"),
        "{text}"
    );
    assert!(row("ecdh-p256").contains("chosen"), "{text}");
    let output = node.command(&["capabilities", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 7);
}

// === what an attacker does with the module and the PIN ===

const DEED: &str = "CHANCERY_TEST_DEED";
const FOLDER: &str = "CHANCERY_TEST_FOLDER";
const MODULE: &str = "CHANCERY_TEST_MODULE";

/// In a process of its own: the module is configured by its environment.
fn in_the_module(node: &Node, deed: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["an_attackers_deed", "--exact", "--ignored", "--nocapture"])
        .env("KRYOPTIC_CONF", node.path("token/token.conf"))
        .env("SOFTHSM2_CONF", node.path("token/softhsm2.conf"))
        .env(MODULE, node.module())
        .env(FOLDER, node.folder.path())
        .env(DEED, deed)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
#[ignore = "the attacker's process, started by the other tests"]
fn an_attackers_deed() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let module = std::path::PathBuf::from(std::env::var_os(MODULE).unwrap());
    let module = Pkcs11::new(module).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let deed = std::env::var(DEED).unwrap();
    let slots = module.get_slots_with_token().unwrap();
    let is_ours =
        |slot: &&cryptoki::slot::Slot| module.get_token_info(**slot).unwrap().token_initialized();
    if deed == "second" {
        let empty = slots.iter().find(|slot| !is_ours(slot)).unwrap();
        let officer = AuthPin::new("officer pin 0815".into());
        module.init_token(*empty, &officer, "test-node").unwrap();
        return;
    }
    let slot = slots.iter().find(is_ours).unwrap();
    let session = module.open_rw_session(*slot).unwrap();
    let pin = std::fs::read_to_string(folder.join("pin")).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(pin.into())))
        .unwrap();
    let label = b"kek/2/acme";
    let template = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Label(label.to_vec()),
        Attribute::Id(sha2::Sha256::digest(label)[..16].to_vec()),
        Attribute::ValueLen(32.into()),
        Attribute::Extractable(deed == "leaves"),
        Attribute::Decrypt(deed == "decrypts"),
        Attribute::Encrypt(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::AllowedMechanisms(vec![MechanismType::AES_KEY_WRAP]),
    ];
    session
        .generate_key(&Mechanism::AesKeyGen, &template)
        .unwrap();
}

/// A library that is no PKCS#11 module.
fn libc() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("/libc.so")).unwrap();
    line[line.find('/').unwrap()..].to_owned()
}
