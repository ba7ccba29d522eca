use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn level(level: Level) -> Need {
    Need {
        level,
        hybrid: false,
    }
}

fn shipped() -> CryptoPolicy {
    CryptoPolicy::shipped().unwrap()
}

const NOW: &str = "2026-11-23T00:00:00Z";

fn session(group: &str) -> Session<'_> {
    Session {
        version: TlsVersion::V13,
        group,
        signature: Some("ecdsa_secp256r1_sha256"),
    }
}

#[test]
fn secret_goes_over_hybrids_alone_and_restricted_over_classical_ones_too() {
    let policy = shipped();
    let now = at(NOW);
    for (group, highest) in [
        ("X25519MLKEM768", Level::TopSecret),
        ("X25519", Level::Confidential),
        ("secp384r1", Level::Confidential),
        ("ffdhe2048", Level::Nc),
    ] {
        for one in Level::ALL {
            let good = policy.session(&session(group), level(one), now).is_ok();
            assert_eq!(
                good,
                one <= highest && group != "ffdhe2048",
                "{group} at {one}"
            );
        }
        let ceiling = policy.ceiling(false, |need| {
            policy.session(&session(group), need, now).is_ok()
        });
        assert_eq!(ceiling, highest, "{group}");
    }
}

#[test]
fn the_last_day_holds_to_its_last_second() {
    let policy = shipped();
    let classical =
        |one: Level, when: &str| policy.session(&session("X25519"), level(one), at(when));
    assert_eq!(
        classical(Level::Confidential, "2030-12-31T23:59:59.999999Z"),
        Ok(())
    );
    let late = classical(Level::Confidential, "2031-01-01T00:00:00Z").unwrap_err();
    assert_eq!(
        late.to_string(),
        "the session's key exchange (`X25519`) was allowed for C-UE until 2030-12-31: \
         use X25519MLKEM768 or secp256r1MLKEM768"
    );
    assert_eq!(classical(Level::Restricted, "2031-12-31T23:59:59Z"), Ok(()));
    assert!(classical(Level::Restricted, "2032-01-01T00:00:00Z").is_err());
    let never = classical(Level::Secret, NOW).unwrap_err();
    assert_eq!(never.until, None);
    assert!(
        never
            .to_string()
            .contains("is not allowed for S-UE: use X25519MLKEM768")
    );
}

#[test]
fn a_caveat_can_demand_a_hybrid_at_any_level() {
    let text = SHIPPED.replacen("#caveats = []", "caveats = [\"CRYPTO\"]", 1);
    let policy = CryptoPolicy::read(&text).unwrap();
    let now = at(NOW);
    let plain = Label {
        level: Level::Restricted,
        ..Label::default()
    };
    let mut marked = plain.clone();
    marked.caveats.insert(Caveat::Crypto);
    let over = |label: &Label, group| policy.session(&session(group), policy.need(label), now);
    assert_eq!(over(&plain, "X25519"), Ok(()));
    assert!(over(&marked, "X25519").is_err());
    assert_eq!(over(&marked, "X25519MLKEM768"), Ok(()));
    let keys = ["cv25519".to_owned()];
    let mail = OpenPgp {
        encryption: &keys,
        ..OpenPgp::default()
    };
    assert_eq!(policy.openpgp(&mail, policy.need(&plain), now), Ok(()));
    let refused = policy
        .openpgp(&mail, policy.need(&marked), now)
        .unwrap_err();
    assert!(
        refused.to_string().contains("use mlkem768-x25519"),
        "{refused}"
    );
}

#[test]
fn the_weakest_key_of_a_message_counts() {
    let policy = shipped();
    let keys = ["mlkem768-x25519".to_owned(), "rsa3072".to_owned()];
    let mail = OpenPgp {
        encryption: &keys,
        symmetric: Some("aes256"),
        hash: Some("sha512"),
        ..OpenPgp::default()
    };
    assert_eq!(
        policy.openpgp(&mail, level(Level::Confidential), at(NOW)),
        Ok(())
    );
    let refused = policy
        .openpgp(&mail, level(Level::Secret), at(NOW))
        .unwrap_err();
    assert_eq!(refused.name, "rsa3072");
    for weak in ["rsa2048", "rsa1024", "dsa", ""] {
        assert!(
            policy
                .allows(Use::OpenPgpEncryption, weak, level(Level::Nc), at(NOW))
                .is_err(),
            "{weak}"
        );
    }
}

#[test]
fn old_tls_carries_what_is_not_classified() {
    let policy = shipped();
    assert_eq!(policy.version(TlsVersion::V12, level(Level::Nc)), Ok(()));
    let refused = policy
        .version(TlsVersion::V12, level(Level::Restricted))
        .unwrap_err();
    assert!(refused.to_string().contains("use TLS 1.3"), "{refused}");
}

#[test]
fn what_is_wrong_is_told_by_line_and_all_at_once() {
    let line_of =
        |text: &str, what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let cases = [
        ("X25519 = 2031-12-31", "X25519 = 2031-02-30", "date"),
        ("X25519 = 2031-12-31", "X25519 = 31", "a last day"),
        ("X25519 = 2031-12-31", "X25519 = \"always\"", "a last day"),
        (
            "X25519 = 2031-12-31",
            "x25519 = 2031-12-31",
            "no algorithm that this gateway knows",
        ),
        (
            "X25519 = 2031-12-31",
            "X25519 = { from = 2032-01-01, until = 2031-12-31 }",
            "until is before from",
        ),
        (
            "X25519 = 2031-12-31",
            "X25519 = { untill = 2031-12-31 }",
            "a last day",
        ),
        ("min_version = \"1.2\"", "min_version = \"1.1\"", "1.1"),
        ("aes128 = \"open\"", "3des = \"open\"", "no algorithm"),
        ("[hybrid]", "[hybrids]", "unknown field"),
        ("level.NC", "level.PUBLIC", "PUBLIC"),
        (
            "X25519 = 2031-12-31",
            "X25519 = 2029-12-31",
            "longer for R-UE",
        ),
    ];
    for (from, to, says) in cases {
        let text = SHIPPED.replacen(from, to, if to.starts_with("level") { 99 } else { 1 });
        assert_ne!(text, SHIPPED, "{from}");
        let problems = CryptoPolicy::read(&text).unwrap_err();
        let one = &problems[0];
        assert!(one.what.contains(says), "{to}: {one}");
        assert_eq!(one.file, FILE);
        assert!(one.line.is_some(), "{to}: {one}");
        if !says.contains("longer") && !to.contains("hybrids") && !to.starts_with("level") {
            assert_eq!(one.line, Some(line_of(&text, to)), "{to}: {one}");
        }
    }
    let two = SHIPPED
        .replacen("X25519 = 2031-12-31", "X448 = 2031-12-31", 1)
        .replacen("aes256 = \"open\"", "des = \"open\"", 1);
    assert_eq!(CryptoPolicy::read(&two).unwrap_err().len(), 2);
    let (missing, _) = SHIPPED.split_once("[level.TS-UE.tls]").unwrap();
    let problems = CryptoPolicy::read(missing).unwrap_err();
    assert!(problems[0].what.contains("[level.TS-UE] is missing"));
    let more = SHIPPED.replacen(
        "[level.S-UE.openpgp.symmetric]",
        "[level.S-UE.openpgp.symmetric]\naes128 = \"open\"",
        1,
    );
    assert_eq!(
        CryptoPolicy::read(&more),
        Ok(shipped_with_aes128()),
        "C-UE allows it"
    );
    let above = more.replacen(
        "[level.TS-UE.tls.groups]",
        "[level.TS-UE.tls.groups]\nX25519 = 2030-12-31",
        1,
    );
    let problems = CryptoPolicy::read(&above).unwrap_err();
    assert!(
        problems[0]
            .what
            .contains("allowed for TS-UE and not for S-UE"),
        "{}",
        problems[0]
    );
}

fn shipped_with_aes128() -> CryptoPolicy {
    let mut policy = shipped();
    policy.levels[3].terms.insert(
        (Use::OpenPgpSymmetric, "aes128".to_owned()),
        Validity::default(),
    );
    policy
}
