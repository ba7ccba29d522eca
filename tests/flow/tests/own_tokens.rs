//! Officers whose keys are in their own token (SoftHSM2 here): they order, vote
//! and approve by a `pkcs11:` URI exactly as with a key in a file.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chancery_world::{Node, programs, told};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::DecodePrivateKey as _;

const FOLDER: &str = "CHANCERY_TEST_FOLDER";
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// As short as a card's.
const PIN: &str = "2718";
const OFFICERS: [&str; 3] = ["hugo", "ines", "farid"];

/// In a process of its own, as the module wants it: a token with the officers'
/// keys, taken from their files.
#[test]
#[ignore = "started by the other test"]
fn a_token_of_the_officers() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let module = Pkcs11::new(MODULE).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = module.get_slots_with_token().unwrap()[0];
    let officer = AuthPin::new("0815".into());
    module.init_token(slot, &officer, "officers").unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&officer)).unwrap();
    session.init_pin(&AuthPin::new(PIN.into())).unwrap();
    session.logout().unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(PIN.into())))
        .unwrap();
    let passphrase = std::fs::read_to_string(folder.join("node/officers/passphrase")).unwrap();
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    for (number, name) in OFFICERS.into_iter().enumerate() {
        let pem = folder.join(format!("node/officers/{name}.key"));
        let pem = std::fs::read_to_string(pem).unwrap();
        let key = p256::SecretKey::from_pkcs8_encrypted_pem(&pem, passphrase.trim()).unwrap();
        let both = [
            Attribute::Token(true),
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(p256.clone()),
            Attribute::Label(name.as_bytes().to_vec()),
            Attribute::Id(vec![u8::try_from(number).unwrap()]),
        ];
        let mut der = vec![0x04, 0x41];
        der.extend_from_slice(key.public_key().to_encoded_point(false).as_bytes());
        let mut public = both.to_vec();
        public.extend([
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Verify(true),
            Attribute::EcPoint(der),
        ]);
        session.create_object(&public).unwrap();
        let mut private = both.to_vec();
        private.extend([
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Value(key.to_bytes().to_vec()),
        ]);
        session.create_object(&private).unwrap();
        // One that may leave its token is nobody's own.
        if name == "farid" {
            for attribute in &mut private {
                match attribute {
                    Attribute::Extractable(may) => *may = true,
                    Attribute::Label(label) => *label = b"loose".to_vec(),
                    _ => {}
                }
            }
            session.create_object(&private).unwrap();
        }
    }
}

fn uri(pin: &Path, object: &str) -> String {
    format!(
        "pkcs11:token=officers;object={object}?module-path={MODULE}&pin-source=file:{}",
        pin.display()
    )
}

fn as_officer(node: &Node, officer: &str, key: &str, arguments: &[&str]) -> Output {
    Command::new(programs().join("chancery"))
        .args(arguments)
        .args([
            "--config",
            &node.config(),
            "--officer",
            officer,
            "--key",
            key,
        ])
        .env("SOFTHSM2_CONF", node.path("own/softhsm2.conf"))
        .output()
        .unwrap()
}

fn put_pin(node: &Node, name: &str, pin: &str) -> PathBuf {
    let file = node.path(name);
    std::fs::write(&file, pin).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    file
}

#[test]
fn officers_order_and_approve_with_keys_in_their_own_token() {
    let mut node = Node::make(&["csirt-alpha"]);
    std::fs::create_dir_all(node.path("own/tokens")).unwrap();
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        node.path("own/tokens").display()
    );
    std::fs::write(node.path("own/softhsm2.conf"), conf).unwrap();
    let made = Command::new(std::env::current_exe().unwrap())
        .args(["a_token_of_the_officers", "--exact", "--ignored"])
        .env("SOFTHSM2_CONF", node.path("own/softhsm2.conf"))
        .env(FOLDER, node.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", told(&made));
    let pin = put_pin(&node, "own-pin", PIN);
    node.start();

    // An order, signed in the token, is the officer's.
    let export = node.path("log.export").display().to_string();
    let farid = uri(&pin, "farid");
    let done = as_officer(&node, "farid", &farid, &["audit", "export", &export]);
    assert!(done.status.success(), "{}", told(&done));
    // Not another's, though the token is the same.
    let forged = as_officer(
        &node,
        "farid",
        &uri(&pin, "ines"),
        &["audit", "export", "x"],
    );
    assert!(!forged.status.success());

    // A ceremony: proposed, approved, carried out.
    let file = node.path("f.json").display().to_string();
    let hugo = uri(&pin, "hugo");
    let rotate = ["key", "rotate", "kek/intake", "--out", &file];
    let proposed = as_officer(&node, "hugo", &hugo, &rotate);
    assert!(proposed.status.success(), "{}", told(&proposed));
    let perform = ["key", "perform", file.as_str()];
    assert!(
        !as_officer(&node, "hugo", &hugo, &perform).status.success(),
        "one alone"
    );
    // In the name of another: the custodian looks at the key.
    let swapped = node.path("s.json").display().to_string();
    std::fs::copy(&file, &swapped).unwrap();
    let signed = as_officer(&node, "ines", &hugo, &["key", "approve", &swapped]);
    assert!(signed.status.success(), "{}", told(&signed));
    let refused = as_officer(&node, "ines", &hugo, &["key", "perform", &swapped]);
    assert!(
        told(&refused).contains("does not fit its key"),
        "{}",
        told(&refused)
    );
    let approved = as_officer(
        &node,
        "ines",
        &uri(&pin, "ines"),
        &["key", "approve", &file],
    );
    assert!(approved.status.success(), "{}", told(&approved));
    let done = as_officer(&node, "ines", &uri(&pin, "ines"), &perform);
    assert!(done.status.success(), "{}", told(&done));

    // What is wrong is told in a sentence, and never with the PIN.
    let bad = put_pin(&node, "bad-pin", "3141");
    let with_value =
        format!("pkcs11:token=officers;object=hugo?module-path={MODULE}&pin-value={PIN}");
    for (key, why) in [
        (uri(&bad, "hugo"), "refused the PIN"),
        (uri(&pin, "nobody"), "no private key of that name"),
        (uri(&pin, "loose"), "stays in its token"),
        (with_value, "`pin-value` is refused"),
        (
            format!("pkcs11:token=officers?module-path={MODULE}"),
            "object=NAME",
        ),
        (
            uri(&pin, "hugo").replace("token=officers", "token=others"),
            "no token has the label",
        ),
        (
            uri(&pin, "hugo").replace(MODULE, "/nowhere.so"),
            "cannot be read",
        ),
    ] {
        let output = as_officer(&node, "hugo", &key, &["key", "approve", &file]);
        let text = told(&output);
        assert!(
            !output.status.success() && text.contains(why),
            "{why}: {text}"
        );
        assert!(!text.contains(PIN) && !text.contains("3141"), "{text}");
    }
}
