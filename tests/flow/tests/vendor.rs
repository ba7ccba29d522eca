//! A company tries to find out, from outside and by every request that there
//! is, whether another company takes part: it hears of another what it hears of
//! nobody.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use chancery_world::{Node, chancery, told};

const PROBER: &str = "vendor-sentinel";
const OTHER: &str = "vendor-bastion";
/// As long a name, and of nobody.
const NOBODY: &str = "vendor-nothing";
const NONE: &str = "0193e5a0-0000-7000-8000-000000000001";

/// What a command says to the prober, whole, with what it asked about left out.
fn heard(node: &Node, arguments: &[&str], about: &str) -> (Option<i32>, String) {
    let profile = node.profile(PROBER);
    let mut all = arguments.to_vec();
    all.extend(["--profile", &profile]);
    let output = chancery(&all, "fictitious");
    let said = told(&output).replace(about, "…");
    (output.status.code(), said)
}

fn send<'a>(to: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "send",
        "-",
        "--to",
        to,
        "--label",
        "TLP:CLEAR",
        "--subject",
        "a probe",
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
    ];
    all.extend(more);
    all
}

#[test]
fn a_company_hears_of_another_what_it_hears_of_nobody() {
    let mut node = Node::make(&["cert-eu", "csirt-alpha", PROBER, OTHER]);
    node.start();

    // Traffic of the other company, whose ids the prober somehow has.
    let to_other = send(OTHER, &[]);
    let sent = node.user("csirt-alpha", &to_other, "not for Sentinel");
    assert_eq!(sent["recipients"][0]["verdict"], "permit", "{sent}");
    let message = sent["id"].as_str().unwrap().to_owned();
    let listed = node.user(OTHER, &["inbox"], "");
    let delivery = listed["deliveries"][0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned();
    let _got = node.user(OTHER, &["inbox", "--fetch", &delivery], "");

    // Lists: its one partner, and nothing of its clearance.
    let known = node.user(PROBER, &["recipients"], "");
    let known: Vec<&str> = known["participants"]
        .as_array()
        .or_else(|| known["recipients"].as_array())
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(known, ["cert-eu"]);

    // By name: alone, in copy, asked only, as the originator, as whom it is derived from.
    for more in [&[][..], &["--check"][..], &["--cc", "cert-eu"][..]] {
        let ask = |name: &str| heard(&node, &send(name, more), name);
        let (with, without) = (ask(OTHER), ask(NOBODY));
        assert_eq!(with, without, "{more:?}");
        assert_eq!(with.0, Some(1), "refused: {with:?}");
    }
    let as_originator = |name: &str| {
        let more = ["--check", "--originator", name];
        heard(&node, &send("cert-eu", &more), name)
    };
    assert_eq!(as_originator(OTHER), as_originator(NOBODY));

    // By id: of a message and a delivery that are there, and of none.
    for (what, real) in [
        (&["status"][..], &message),
        (&["withdraw"][..], &message),
        (&["inbox", "--fetch"][..], &delivery),
        (&["inbox", "--ack"][..], &delivery),
        (&["reply"][..], &delivery),
        (
            &["forward", "--to", "cert-eu", "--no-personal-data"][..],
            &delivery,
        ),
        (&["consent", "grant"][..], &message),
    ] {
        let ask = |id: &str| {
            let mut all = what.to_vec();
            match all[0] {
                "reply" => all.extend([id, "--label", "TLP:CLEAR", "--subject", "x"]),
                "forward" => all.insert(1, id),
                _ => all.push(id),
            }
            heard(&node, &all, id)
        };
        let (with, without) = (ask(real), ask(NONE));
        assert_eq!(with, without, "{what:?}");
        assert_eq!(with.0, Some(1), "refused: {with:?}");
    }
    let derived = |id: &str| {
        let more = ["--check", "--derived-from", id];
        heard(&node, &send("cert-eu", &more), id)
    };
    assert_eq!(derived(&message), derived(NONE));

    // What it sends has a reference without order or count, however much others send.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let sent = node.user(PROBER, &send("cert-eu", &[]), "indicators");
        let reference = sent["registration"].as_str().unwrap().to_owned();
        assert!(reference.parse::<u64>().is_err(), "{reference}");
        seen.push(reference);
        let _other = node.user("csirt-alpha", &to_other, "not for Sentinel");
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
    // Nothing of the other's reached it.
    let listed = node.user(PROBER, &["inbox"], "");
    assert_eq!(listed["deliveries"], serde_json::json!([]));
    let log = node.sound_log();
    let refused = log.matches("\"door.refused\"").count();
    assert!(refused >= 10, "each probe is on record: {refused}");
}
