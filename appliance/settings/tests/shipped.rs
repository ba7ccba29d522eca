//! The shipped file: it says every option, and says the truth about defaults.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use chancery_settings::{
    Audit, Custodian, CustodyLimit, CustodyLimits, CustodyPeriod, CustodyPeriods, Database, Door,
    Doors, Hardening, Limits, Listen, MailDoor, Metrics, ModuleKind, Node, PinSource, Rules,
    SHIPPED, Settings, Times, Token, fill,
};

/// Every option there is: the compiler sees to it that none is forgotten here.
fn every_option() -> Settings {
    let door = Door {
        listen: "[::1]:1".parse().unwrap(),
        certificate: "a".into(),
        client_ca: "b".into(),
        crl: Some("c".into()),
    };
    let limit = CustodyLimit {
        at_once: 9,
        waiting: 9,
        wait_ms: 9,
        per_second: 9,
    };
    let period = CustodyPeriod {
        make_days: 9,
        open_days: 9,
    };
    Settings {
        node: Node {
            name: "x".into(),
            data: "x".into(),
            run: "x".into(),
            hardening: Hardening::BestEffort,
        },
        database: Database {
            url: "x".into(),
            readers: 9,
            patience_s: 9,
            max_bytes: Some(9),
        },
        custodian: Custodian {
            state_dir: "x".into(),
            log_origin: "x".into(),
            hardening: Hardening::BestEffort,
            token: Token {
                kind: ModuleKind::Other,
                uri: Some("x".into()),
                module: "x".into(),
                module_sha256: Some("x".into()),
                store: Some("x".into()),
                label: "x".into(),
                serial: Some("x".into()),
                max_sessions: 9,
                patience_ms: 9,
                hanging_secs: 9,
                reads: vec!["x".into()],
                writes: vec!["x".into()],
                ports: vec![9],
                allowed_mechanisms: false,
                copyable: false,
                unwrap_value_len: true,
                read_write_sessions: true,
            },
            pin: PinSource::Credential("x".into()),
            limits: Some(CustodyLimits {
                core: limit,
                doors: limit,
                readers: limit,
                admin: limit,
            }),
            periods: CustodyPeriods {
                kek: period,
                mac: period,
                checkpoint: period,
                pgp_sign: period,
                pgp_decrypt: period,
                tls: period,
            },
        },
        audit: Audit {
            checkpoint_every_s: 9,
            max_unsigned_s: 9,
            max_unsigned_records: 9,
        },
        rules: Rules {
            schemes: "x".into(),
            policies: "x".into(),
            participants: "x".into(),
            mous: "x".into(),
            officers: "x".into(),
        },
        limits: Limits {
            message_bytes: 9,
            attachment_bytes: 9,
            upload_hours: 9,
            reading_s: 9,
            connections: 9,
            connections_per_peer: 9,
            requests_per_minute: 9,
            handshakes: 9,
            delivery_hours: 9,
            hold_for_receipts: true,
        },
        times: Times {
            consent_s: 9,
            flash_s: 9,
            immediate_s: 9,
            priority_s: 9,
            routine_s: 9,
            deferred_s: 9,
            look_s: 9,
        },
        metrics: Metrics {
            listen: Some("[::1]:2".parse().unwrap()),
        },
        doors: Doors {
            mail: Some(MailDoor {
                smtp: Some("[::1]:3".parse().unwrap()),
                lmtp: Some(Listen::Unix("x".into())),
                hostname: "x".into(),
                domains: vec!["x".into()],
                certificate: "x".into(),
                relay_host: "x".into(),
                relay_port: 9,
                relay_ca: Some("x".into()),
                sender: "x".into(),
            }),
            siena: Some(door.clone()),
            rest: Some(door),
        },
    }
}

/// `section.option` of every option in some settings.
fn options(settings: &Settings) -> BTreeSet<String> {
    fn walk(table: &toml::Table, path: &str, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let at = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match value {
                toml::Value::Table(inner) if !value_of_its_own(&at) => walk(inner, &at, found),
                _ => {
                    found.insert(at);
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&toml::Table::try_from(settings).unwrap(), "", &mut found);
    found
}

/// Tables that are the value of one option.
fn value_of_its_own(option: &str) -> bool {
    option == "custodian.pin"
        || option.starts_with("custodian.limits.")
        || option.starts_with("custodian.periods.")
}

/// The shipped file with the `#` of every option taken away.
fn uncommented() -> String {
    SHIPPED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with([' ', '#']) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(Settings::parse(SHIPPED).unwrap(), Settings::default());
}

#[test]
fn every_option_stands_in_the_shipped_file() {
    let all = Settings::parse(&uncommented()).unwrap();
    assert_eq!(options(&all), options(&every_option()));
}

#[test]
fn what_the_shipped_file_calls_a_default_is_one() {
    let mut all = Settings::parse(&uncommented()).unwrap();
    let defaults = Settings::default();
    // The examples, which the file calls so: there is no default.
    assert!(all.database.max_bytes.take().is_some());
    assert!(all.custodian.token.module_sha256.take().is_some());
    assert!(all.custodian.token.serial.take().is_some());
    assert!(all.custodian.token.uri.take().is_some());
    let limits = all.custodian.limits.take().unwrap();
    let fitted = chancery_hsm_custodian::Limits::for_sessions(2);
    assert_eq!(toml::Table::try_from(limits), toml::Table::try_from(fitted));
    assert!(all.metrics.listen.take().is_some());
    assert_eq!(all.doors.mail.take().unwrap().relay_port, 25);
    assert_eq!(all.doors.zones(), ["siena", "rest"]);
    all.doors = Doors::default();
    assert_eq!(all, defaults);
}

#[test]
fn every_option_is_explained_and_weakness_has_a_warning() {
    let lines: Vec<&str> = SHIPPED.lines().collect();
    for (place, line) in lines.iter().enumerate() {
        let is_option = !line.starts_with("# ") && line.contains(" = ");
        if is_option {
            let before = lines[place - 1];
            assert!(before.starts_with("# "), "not explained: {line}");
        }
    }
    // What `check` calls weak has its warning in the file.
    for weak in [
        "hardening",
        "module_sha256",
        "ports",
        "allowed_mechanisms",
        "copyable",
        "crl",
        "relay_ca",
    ] {
        let place = lines
            .iter()
            .position(|line| line.starts_with(&format!("#{weak} =")))
            .unwrap();
        let explained = lines[..place]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("# "));
        assert!(
            explained.clone().any(|line| line.contains("WARNING")),
            "no warning at {weak}"
        );
    }
}

#[test]
fn a_file_is_made_from_the_shipped_one() {
    let made = fill(&[
        ("node.name", "\"berlin\""),
        ("custodian.token.copyable", "false"),
        ("doors.rest.listen", "\"127.0.0.1:8443\""),
        ("doors.rest.certificate", "\"tls/rest.pem\""),
        ("doors.rest.client_ca", "\"tls/ca.pem\""),
    ])
    .unwrap();
    let settings = Settings::parse(&made).unwrap();
    assert_eq!(settings.node.name, "berlin");
    assert!(!settings.custodian.token.copyable);
    assert_eq!(settings.doors.zones(), ["rest"]);
    assert_eq!(settings.doors.rest.unwrap().listen.port(), 8443);
    assert_eq!(made.lines().count(), SHIPPED.lines().count());
    assert_eq!(fill(&[("node.nonsense", "1")]), Err("node.nonsense".into()));
    assert_eq!(fill(&[("nowhere.name", "1")]), Err("nowhere.name".into()));
}

#[test]
fn the_custodian_reads_the_same_table() {
    use chancery_hsm_custodian::CustodianSettings;
    for settings in [
        Settings::default(),
        every_option(),
        Settings::parse(&uncommented()).unwrap(),
    ] {
        let table = toml::Table::try_from(&settings.custodian).unwrap();
        let theirs: CustodianSettings = table.clone().try_into().unwrap();
        // And nothing of it is lost: what they leave out is empty.
        let mut back = toml::Table::try_from(&theirs).unwrap();
        let token = back["token"].as_table_mut().unwrap();
        for list in ["reads", "writes", "ports"] {
            token
                .entry(list)
                .or_insert_with(|| toml::Value::Array(Vec::new()));
        }
        assert_eq!(back, table);
    }
}

#[test]
fn the_custodian_reads_the_shipped_file_as_it_is() {
    use chancery_hsm_custodian::CustodianSettings;
    let file: toml::Table = SHIPPED.parse().unwrap();
    let theirs: CustodianSettings = file["custodian"].clone().try_into().unwrap();
    let ours: CustodianSettings = toml::Table::try_from(Settings::default().custodian)
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(theirs, ours);
}
