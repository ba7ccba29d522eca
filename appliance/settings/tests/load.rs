//! What is read, what is refused, what is found.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use chancery_settings::{Grade, Settings, SettingsError};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn write(folder: &Path, name: &str, text: &str, bits: u32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    mode(&path, bits);
    path
}

/// The message for this text.
fn refusal(text: &str) -> String {
    Settings::parse(text).unwrap_err().to_string()
}

#[test]
fn paths_are_relative_to_the_file_or_to_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[node]\ndata = \"keep\"\n[custodian]\npin = { file = \"/run/pin\" }\n\
                [custodian.token]\nstore = \"t\"\n\
                [doors.mail]\nlmtp = \"unix:run/l.sock\"\nhostname = \"a.eu\"\ndomains = [\"a.eu\"]\n\
                certificate = \"c.pem\"\nrelay_host = \"b.eu\"\nsender = \"x@a.eu\"\n";
    let path = write(folder.path(), "chancery.toml", text, 0o640);
    let settings = Settings::load(&path).unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(settings.node.data, at("keep"));
    assert_eq!(settings.node.run, at("run"));
    assert_eq!(settings.custodian.token.store, Some(at("t")));
    assert_eq!(settings.custodian.state_dir, at("data/custodian"));
    assert_eq!(
        settings.database.url,
        format!("sqlite:{}", at("data/chancery.db").display())
    );
    assert_eq!(
        settings.custodian.pin,
        chancery_settings::PinSource::File("/run/pin".into())
    );
    let mail = settings.doors.mail.unwrap();
    assert_eq!(mail.certificate, at("c.pem"));
    assert_eq!(
        mail.lmtp,
        Some(chancery_settings::Listen::Unix(at("run/l.sock")))
    );
}

#[test]
fn a_file_that_others_may_change_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "chancery.toml", "", 0o600);
    assert!(Settings::load(&path).is_ok());
    for bits in [0o602, 0o620, 0o666] {
        mode(&path, bits);
        let error = Settings::load(&path).unwrap_err();
        assert!(
            matches!(error, SettingsError::Untrusted { .. }),
            "{bits:o}: {error}"
        );
    }
    mode(&path, 0o600);
    let link = folder.path().join("link.toml");
    symlink(&path, &link).unwrap();
    let error = Settings::load(&link).unwrap_err().to_string();
    assert!(
        error.ends_with("it is a symbolic link: name the file itself"),
        "{error}"
    );
    let error = Settings::load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is not a plain file"), "{error}");
    let error = Settings::load(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(error, SettingsError::Open { .. }));
    let large = write(
        folder.path(),
        "large.toml",
        &"#".repeat(1024 * 1024 + 1),
        0o600,
    );
    let error = Settings::load(&large).unwrap_err().to_string();
    assert!(error.ends_with("it is larger than 1 MiB"), "{error}");
}

#[test]
fn a_secret_in_plain_text_is_refused_and_not_repeated() {
    for (text, at) in [
        ("[custodian]\npin = \"geheim42\"", "custodian.pin"),
        ("[custodian]\npin = 424242", "custodian.pin"),
        ("[custodian]\nuser_pin = \"geheim42\"", "custodian.user_pin"),
        ("[database]\npassword = \"geheim42\"", "database.password"),
        ("[[doors]]\nsecret = \"geheim42\"", "doors.secret"),
        (
            "[doors.rest]\nkey = \"-----BEGIN PRIVATE KEY-----geheim42\"",
            "doors.rest.key",
        ),
    ] {
        let error = Settings::parse(text).unwrap_err();
        assert!(
            matches!(&error, SettingsError::Secret { at: found } if found == at),
            "{error}"
        );
        assert!(!error.to_string().contains("geheim42") && !error.to_string().contains("424242"));
    }
}

#[test]
fn mistakes_are_named_with_their_line_and_without_their_value() {
    let error = refusal("[node]\n\nnaem = \"x\"\n");
    assert!(
        error.contains("in line 3") && error.contains("naem"),
        "{error}"
    );
    let error = refusal("[limits]\nconnections = \"geheim42\"\n");
    assert!(
        error.contains("in line 2") && error.contains("another form"),
        "{error}"
    );
    assert!(!error.contains("geheim42"), "{error}");
    let error = refusal("[node]\nhardening = \"off\"\n");
    assert!(error.contains("required"), "{error}");
    assert!(refusal("[doors.mail]\nhostname = \"a.eu\"\n").contains("missing field"));
    assert!(refusal("[custodian]\npin = { url = \"x\" }\n").contains("credential"));
    assert!(refusal("[node\n").contains("line 1"));
    assert!(refusal("[limits]\nconnections = -1\n").contains("another form"));
    let twice = refusal("[node]\nname = \"a\"\nname = \"b\"\n");
    assert!(twice.contains("duplicate"), "{twice}");
}

/// A node's folder in which nothing is wrong.
fn sound(folder: &Path) -> Settings {
    for name in [
        "data/token",
        "data/custodian",
        "run",
        "schemes",
        "policies",
        "mous",
        "tls",
    ] {
        fs::create_dir_all(folder.join(name)).unwrap();
        mode(&folder.join(name), 0o700);
    }
    mode(&folder.join("data"), 0o700);
    let pem = "-----BEGIN CERTIFICATE-----\n";
    for name in [
        "participants.toml",
        "officers.toml",
        "module.so",
        "tls/clients.crl",
    ] {
        write(folder, name, "", 0o644);
    }
    for name in ["tls/door.pem", "tls/clients.pem"] {
        write(folder, name, pem, 0o644);
    }
    write(folder, "data/token.pin", "123456", 0o400);
    let text = format!(
        "[custodian.token]\nmodule = \"module.so\"\nmodule_sha256 = \"{}\"\n\
         [metrics]\nlisten = \"127.0.0.1:9464\"\n\
         [doors.rest]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"tls/door.pem\"\n\
         client_ca = \"tls/clients.pem\"\ncrl = \"tls/clients.crl\"\n\
         [doors.mail]\nsmtp = \"127.0.0.1:2525\"\nhostname = \"gw.example.eu\"\n\
         domains = [\"gw.example.eu\"]\ncertificate = \"tls/door.pem\"\n\
         relay_host = \"relay.example.eu\"\nrelay_ca = \"tls/clients.pem\"\n\
         sender = \"gw@gw.example.eu\"\n",
        "a".repeat(64)
    );
    let path = write(folder, "chancery.toml", &text, 0o600);
    Settings::load(&path).unwrap()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(sound(folder.path()).check(), []);
}

/// One thing changed, and where it is found.
type Mistake = (fn(&mut Settings, &Path), &'static str, Grade);

const MISTAKES: &[Mistake] = &[
    (
        |s, _| s.node.name = "Node 1".into(),
        "node.name",
        Grade::Wrong,
    ),
    (
        |s, _| s.node.data = "/nowhere/data".into(),
        "node.data",
        Grade::Wrong,
    ),
    (|_, f| mode(&f.join("run"), 0o777), "node.run", Grade::Wrong),
    (
        |s, _| s.node.hardening = chancery_settings::Hardening::BestEffort,
        "node.hardening",
        Grade::Weak,
    ),
    (
        |s, _| s.database.url = "postgresql://u:p@h/d".into(),
        "database.url",
        Grade::Wrong,
    ),
    (
        |s, _| s.database.url = "sqlite:/nowhere/x.db".into(),
        "database.url",
        Grade::Wrong,
    ),
    (
        |s, f| s.database.url = format!("postgresql://u@/d?host={}/none", f.display()),
        "database.url",
        Grade::Wrong,
    ),
    (
        |s, _| s.database.readers = 0,
        "database.readers",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.module = "/nowhere.so".into(),
        "custodian.token.module",
        Grade::Wrong,
    ),
    (
        |_, f| mode(&f.join("module.so"), 0o666),
        "custodian.token.module",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.module_sha256 = None,
        "custodian.token.module_sha256",
        Grade::Weak,
    ),
    (
        |s, _| s.custodian.token.module_sha256 = Some("abc".into()),
        "custodian.token.module_sha256",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.store = None,
        "custodian.token.store",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.label = String::new(),
        "custodian.token.label",
        Grade::Wrong,
    ),
    (
        |_, f| mode(&f.join("data/token.pin"), 0o440),
        "custodian.pin",
        Grade::Wrong,
    ),
    (
        |_, f| mode(&f.join("data/token.pin"), 0o600),
        "custodian.pin",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.pin = chancery_settings::PinSource::File("/nowhere".into()),
        "custodian.pin",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.pin = chancery_settings::PinSource::Credential("../x".into()),
        "custodian.pin",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.max_sessions = 0,
        "custodian.token.max_sessions",
        Grade::Wrong,
    ),
    (
        |s, _| s.custodian.token.ports = vec![9004],
        "custodian.token.ports",
        Grade::Weak,
    ),
    (
        |s, _| s.custodian.token.allowed_mechanisms = false,
        "custodian.token.allowed_mechanisms",
        Grade::Weak,
    ),
    (
        |s, _| s.custodian.token.copyable = false,
        "custodian.token.copyable",
        Grade::Weak,
    ),
    (
        |s, _| s.custodian.log_origin = "two words".into(),
        "custodian.log_origin",
        Grade::Wrong,
    ),
    (
        |s, _| s.audit.max_unsigned_s = 10,
        "audit.max_unsigned_s",
        Grade::Wrong,
    ),
    (
        |s, _| s.rules.policies = "/nowhere".into(),
        "rules.policies",
        Grade::Wrong,
    ),
    (
        |_, f| mode(&f.join("officers.toml"), 0o666),
        "rules.officers",
        Grade::Wrong,
    ),
    (
        |s, _| s.limits.handshakes = 0,
        "limits.handshakes",
        Grade::Wrong,
    ),
    (
        |s, _| s.limits.message_bytes = 1 << 40,
        "limits.message_bytes",
        Grade::Wrong,
    ),
    (
        |s, _| s.metrics.listen = Some("0.0.0.0:9464".parse().unwrap()),
        "metrics.listen",
        Grade::Wrong,
    ),
    (
        |s, _| s.metrics.listen = Some("127.0.0.1:8443".parse().unwrap()),
        "metrics.listen",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.rest.as_mut().unwrap().crl = None,
        "doors.rest.crl",
        Grade::Weak,
    ),
    (
        |s, _| s.doors.rest.as_mut().unwrap().client_ca = "/nowhere".into(),
        "doors.rest.client_ca",
        Grade::Wrong,
    ),
    (
        |_, f| {
            let key = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
            fs::write(f.join("tls/clients.pem"), key).unwrap();
        },
        "doors.rest.client_ca",
        Grade::Wrong,
    ),
    (
        |_, f| fs::write(f.join("tls/door.pem"), "no certificate").unwrap(),
        "doors.rest.certificate",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().smtp = None,
        "doors.mail.smtp",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().lmtp = Some("10.0.0.1:24".parse().unwrap()),
        "doors.mail.lmtp",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().hostname = "not a name".into(),
        "doors.mail.hostname",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().domains.clear(),
        "doors.mail.domains",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().relay_host = "-x".into(),
        "doors.mail.relay_host",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().relay_ca = None,
        "doors.mail.relay_ca",
        Grade::Weak,
    ),
    (
        |s, _| s.doors.mail.as_mut().unwrap().sender = "nobody".into(),
        "doors.mail.sender",
        Grade::Wrong,
    ),
    (
        |s, _| s.doors = chancery_settings::Doors::default(),
        "doors",
        Grade::Weak,
    ),
];

#[test]
fn each_mistake_is_found_where_it_is() {
    for (number, (spoil, at, grade)) in MISTAKES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = sound(folder.path());
        spoil(&mut settings, folder.path());
        let found = settings.check();
        let there = found
            .iter()
            .any(|finding| finding.at == *at && finding.grade == *grade);
        assert!(there, "mistake {number} at {at}: {found:?}");
        for finding in &found {
            assert!(finding.sentence.len() > 10 && !finding.sentence.ends_with('.'));
        }
    }
}

#[test]
fn all_mistakes_are_found_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = sound(folder.path());
    settings.node.name = String::new();
    settings.limits.handshakes = 0;
    settings.custodian.token.label = String::new();
    let found = settings.check();
    let at: Vec<&str> = found.iter().map(|finding| finding.at.as_str()).collect();
    assert_eq!(
        at,
        ["node.name", "custodian.token.label", "limits.handshakes"]
    );
    assert_eq!(
        found.first().unwrap().to_string(),
        "wrong: node.name: a name is 1 to 32 lower-case letters, digits and `-`"
    );
}
