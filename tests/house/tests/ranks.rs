//! An edge in the crate graph goes strictly to a lower rank, so that adapters
//! cannot import each other and no parser can reach the database; and some
//! libraries have one owner.

use chancery_house::{Crate, crates};

/// The rank of a folder; the highest rank is that of the tests.
fn rank(folder: &str) -> Option<u8> {
    Some(match folder {
        "hsm/api" | "gateway/label" => 0,
        "gateway/message" => 1,
        "gateway/policy" | "gateway/audit" => 2,
        "gateway/seal" => 3,
        "gateway/pipeline" => 4,
        "adapters/http" => 5,
        "appliance/settings" | "appliance/machine" | "appliance/ipc" | "appliance/sandbox"
        | "appliance/prover" | "hsm/pkcs11" | "hsm/custodian" => 6,
        _ if folder.starts_with("adapters/") => 6,
        _ if folder.starts_with("appliance/") => 7,
        _ if folder.starts_with("tests/") => 8,
        _ => return None,
    })
}

/// Who may name a library: the folders, by library.
const OWNERS: &[(&str, &[&str])] = &[
    ("cryptoki", &["hsm/pkcs11"]),
    ("diesel", &["adapters/store"]),
    ("diesel_migrations", &["adapters/store"]),
    ("libsqlite3-sys", &["adapters/store"]),
    ("pq-sys", &["adapters/store"]),
    ("sequoia-openpgp", &["adapters/mail"]),
    ("lettre", &["adapters/mail"]),
    ("mail-parser", &["adapters/mail"]),
    ("smtp-proto", &["adapters/mail"]),
    ("axum", &["adapters/rest", "adapters/console"]),
    ("cedar-policy", &["gateway/policy", "appliance/prover"]),
    ("cedar-policy-symcc", &["appliance/prover"]),
    ("aes-gcm", &["gateway/seal"]),
    ("hkdf", &["gateway/seal"]),
    (
        "openssl",
        &["adapters/transport", "adapters/mail", "hsm/token"],
    ),
    (
        "openssl-sys",
        &["adapters/transport", "adapters/mail", "hsm/token"],
    ),
    ("landlock", &["appliance/sandbox"]),
    ("seccompiler", &["appliance/sandbox"]),
];

#[test]
fn every_edge_goes_to_a_lower_rank() {
    let crates = crates();
    let mut wrong = Vec::new();
    for Crate { folder, uses } in crates.values() {
        let Some(own) = rank(folder) else {
            wrong.push(format!(
                "{folder} has no rank: give it one here and in the design"
            ));
            continue;
        };
        for used in uses.iter().filter_map(|name| crates.get(name)) {
            let other = rank(&used.folder);
            // The tests use each other's builders.
            if own != 8 && other.is_none_or(|other| other >= own) {
                wrong.push(format!(
                    "{folder} (rank {own}) uses {} (rank {other:?})",
                    used.folder
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_know_the_port_alone() {
    let crates = crates();
    for folder in ["hsm/pkcs11", "hsm/custodian"] {
        let house: Vec<&str> = crates
            .values()
            .filter(|one| one.folder == folder)
            .flat_map(|one| &one.uses)
            .filter_map(|name| crates.get(name))
            .map(|used| used.folder.as_str())
            .collect();
        assert_eq!(house, ["hsm/api"], "{folder}");
    }
}

#[test]
fn libraries_are_named_by_their_owners_alone() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (library, owners) in OWNERS {
        for one in crates
            .values()
            .filter(|one| !one.folder.starts_with("tests/"))
        {
            if one.uses.iter().any(|used| used == library) && !owners.contains(&one.folder.as_str())
            {
                wrong.push(format!(
                    "{} names {library}, which is {}'s",
                    one.folder,
                    owners.join(" and ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
