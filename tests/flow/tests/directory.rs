//! The directory at work, by the commands that officers type: two name a central
//! registry, a partner abroad and the people of a participant; what goes abroad
//! goes by way of the registry; people see what they are cleared for; one
//! officer suspends at once.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use chancery_world::{Node, chancery, good, told, until_done};
use serde_json::Value;

const ENTRIES: &str = r#"
[[participant]]
id = "central-registry"
name = "Central registry"
organisation = "central-registry"
community = "civilian"
kind = "agency"
country = "EU"
compartment = "central-registry"
central_registry = true
[participant.clearance]
level = "S-UE"
until = 2030-12-31
[participant.rest.approval]
accreditation = "C-UE"
accredited_until = 2030-12-31
crypto_approval = "C-UE"
crypto_approved_until = 2030-12-31

[[participant]]
id = "ncsc-che"
name = "A national authority of Switzerland"
organisation = "ncsc-che"
community = "civilian"
kind = "third-state"
country = "CHE"
compartment = "ncsc-che"
external_agreement = "SIA"
article_25_basis = "adequacy"
[participant.clearance]
level = "R-UE"
until = 2030-12-31
[participant.rest.approval]
accreditation = "R-UE"
accredited_until = 2030-12-31
crypto_approval = "R-UE"
crypto_approved_until = 2030-12-31
"#;

const MOU: &str = r#"
id = "mou-che"
title = "CERT-EU and the Swiss authority on incidents"
state = "agreed"
valid_from = 2025-01-01
valid_until = 2030-12-31
parties = ["cert-eu", "ncsc-che"]
communities = ["civilian"]
ceiling = "R-UE"
purposes = ["cyber-crisis"]
compartments = ["cert-eu", "ncsc-che"]
"#;

/// One officer proposes, another approves.
fn agreed(node: &Node, noun: &str, arguments: &[&str]) {
    let mut all = vec![noun];
    all.extend(arguments);
    let proposed = node.officer("dimitri", &all);
    let id = proposed[0]["id"].as_str().unwrap();
    let own = node.as_officer("dimitri", &[noun, "approve", id]);
    assert!(!own.status.success(), "one is not two: {}", told(&own));
    let _done = node.officer("elena", &[noun, "approve", id]);
}

/// A person's own end of REST.
fn enrolled(node: &Node, person: &str) -> String {
    let out = node.path(person).display().to_string();
    let config = node.config();
    let said = good(
        &[
            "participant",
            "--config",
            &config,
            "person",
            "enroll",
            person,
            "--channel",
            "rest",
            "--out",
            &out,
        ],
        "",
    );
    assert!(said.contains("acts for cert-eu"), "{said}");
    node.path(&format!("{person}/{person}-rest.toml"))
        .display()
        .to_string()
}

fn listed(profile: &str) -> Vec<Value> {
    let said = good(&["--json", "inbox", "--profile", profile], "");
    let said: Value = serde_json::from_str(&said).unwrap();
    said["deliveries"].as_array().unwrap().clone()
}

fn send<'a>(label: &'a str, to: &'a str, profile: &'a str) -> Vec<&'a str> {
    vec![
        "--json",
        "send",
        "-",
        "--profile",
        profile,
        "--to",
        to,
        "--label",
        label,
        "--subject",
        "a report",
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
    ]
}

#[test]
fn what_goes_abroad_goes_by_the_registry_and_people_see_their_own_level() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    abroad(&node);
    people(&node);
    let log = node.sound_log();
    for (kind, least) in [
        ("registry.passed", 1),
        ("person.refused", 1),
        ("participant.suspended", 1),
    ] {
        let found = log.matches(&format!("\"{kind}\"")).count();
        assert!(found >= least, "{kind}: {found}");
    }
    assert!(log.contains("person:cert-eu/jana.b"), "the log names her");
}

fn abroad(node: &Node) {
    let label = "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, CHE";
    let file = node.path("entries.toml");
    std::fs::write(&file, ENTRIES).unwrap();
    let file = file.display().to_string();
    let more = ["propose", &file, "--why", "exchange with Switzerland"];
    agreed(node, "participant", &more);
    let mou = node.path("mou-che.toml");
    std::fs::write(&mou, MOU).unwrap();
    agreed(node, "mou", &["propose", &mou.display().to_string()]);
    for id in ["central-registry", "ncsc-che"] {
        node.enroll(id, "rest");
    }
    node.reload();
    for id in ["central-registry", "ncsc-che"] {
        let _known = until_done(&["inbox", "--profile", &node.profile(id)], "");
    }

    let profile = node.profile("cert-eu");
    let sent = good(&send(label, "ncsc-che", &profile), "fictitious, abroad");
    let sent: Value = serde_json::from_str(&sent).unwrap();
    let both = sent["recipients"].as_array().unwrap();
    assert_eq!(both.len(), 2, "{sent}");
    assert_eq!(both[0]["verdict"], "permit", "{sent}");
    let reason = both[0]["reason"].as_str().unwrap();
    assert!(reason.contains("by way of central-registry"), "{sent}");
    let (there, registry) = (node.profile("ncsc-che"), node.profile("central-registry"));
    assert!(listed(&there).is_empty(), "the registry has it first");
    let id = listed(&registry)[0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned();
    let _got = node.user("central-registry", &["inbox", "--fetch", &id], "");
    assert!(listed(&there).is_empty(), "read is not passed on");
    let _done = node.user("central-registry", &["inbox", "--ack", &id], "");
    let id = listed(&there)[0]["delivery"].as_str().unwrap().to_owned();
    let got = node.user("ncsc-che", &["inbox", "--fetch", &id], "");
    assert_eq!(got["body"], "fictitious, abroad", "{got}");
    let way = "by way of the central registry";
    let all = got["obligations"].as_array().unwrap();
    assert!(all.iter().any(|one| one == way), "{got}");
}

fn people(node: &Node) {
    for (id, name, level) in [("jana.b", "Jana B.", "C-UE"), ("tom.k", "Tom K.", "R-UE")] {
        let more = [
            "person",
            "propose",
            "cert-eu",
            id,
            "--name",
            name,
            "--level",
            level,
            "--until",
            "2030-12-31",
            "--why",
            "new staff",
        ];
        agreed(node, "participant", &more);
    }
    let (jana, tom) = (enrolled(node, "jana.b"), enrolled(node, "tom.k"));
    node.reload();
    for profile in [&jana, &tom] {
        let _known = until_done(&["inbox", "--profile", profile], "");
    }
    let config = node.config();
    let shown = good(&["participant", "--config", &config, "person", "list"], "");
    assert!(
        shown.contains("jana.b") && shown.contains("C-UE until"),
        "{shown}"
    );

    // Both act for CERT-EU; one of them is cleared for what comes.
    let alpha = node.profile("csirt-alpha");
    let high = "CONFIDENTIEL UE/EU CONFIDENTIAL";
    let _sent = good(&send(high, "cert-eu", &alpha), "fictitious, confidential");
    assert!(listed(&tom).is_empty());
    let id = listed(&jana)[0]["delivery"].as_str().unwrap().to_owned();
    let probed = chancery(&["inbox", "--profile", &tom, "--fetch", &id], "");
    assert!(
        told(&probed).contains("no such delivery"),
        "{}",
        told(&probed)
    );
    let got = good(&["inbox", "--profile", &jana, "--fetch", &id], "");
    assert!(got.contains("fictitious, confidential"), "{got}");
    let sent = chancery(&send(high, "csirt-alpha", &tom), "text");
    assert!(
        told(&sent).contains("above your own clearance"),
        "{}",
        told(&sent)
    );
    let _done = good(&["inbox", "--profile", &jana, "--ack", &id], "");

    // One officer suspends at once; the others go on.
    let done = node.officer(
        "elena",
        &[
            "participant",
            "person",
            "suspend",
            "jana.b",
            "--why",
            "left",
        ],
    );
    assert_eq!(done[0]["closed"], true, "{done:?}");
    let refused = chancery(&["inbox", "--profile", &jana], "");
    assert!(!refused.status.success(), "{}", told(&refused));
    assert!(listed(&tom).is_empty());
}
