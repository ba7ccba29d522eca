//! A rule is added on a running node as `docs/adding-a-rule.md` says, by the
//! letter: past traffic is run again while the node serves, two officers sign the
//! set with its evidence, and it decides from then on.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

const GUIDE: &str = include_str!("../../../docs/adding-a-rule.md");
const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/policies");

/// The fenced blocks of the guide, each with what stands before it.
fn blocks(language: &str) -> Vec<(&'static str, String)> {
    let fence = format!("```{language}\n");
    GUIDE
        .match_indices(&fence)
        .map(|(at, _)| {
            let block = GUIDE[at + fence.len()..].split("```").next().unwrap();
            let lines: Vec<&str> = block
                .lines()
                .map(|line| line.strip_prefix("   ").unwrap_or(line))
                .collect();
            (&GUIDE[..at], lines.join("\n"))
        })
        .collect()
}

/// The shipped rules with the files that the guide writes.
fn site(node: &Node) -> PathBuf {
    let site = node.path("site");
    std::fs::create_dir(&site).unwrap();
    for entry in std::fs::read_dir(POLICIES).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, site.join(path.file_name().unwrap())).unwrap();
    }
    for (before, text) in [blocks("cedar"), blocks("toml")].concat() {
        let name = before.rsplit('`').nth(1).unwrap();
        std::fs::write(site.join(Path::new(name).file_name().unwrap()), text).unwrap();
    }
    site
}

/// A command of the guide as words; its places are this node's.
fn command(node: &Node, wanted: &str, site: &Path, id: &str) -> Vec<String> {
    let all = blocks("text");
    let joined = all.last().unwrap().1.replace("\\\n", " ");
    let line = joined
        .lines()
        .find(|line| line.trim_start().starts_with(wanted))
        .unwrap_or_else(|| panic!("the guide has no {wanted}"));
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let own = |name: &str| node.path(name).display().to_string();
    words
        .into_iter()
        .skip(1)
        .map(|word| match word.as_str() {
            "DIR" => site.display().to_string(),
            "ID" => id.to_owned(),
            "node/chancery.toml" => node.config(),
            "passphrase" => own("node/officers/passphrase"),
            key if key.ends_with(".key") => own(&format!("node/officers/{key}")),
            _ => word,
        })
        .collect()
}

fn run(words: &[String], more: &[&str]) -> std::process::Output {
    let all: Vec<&str> = more
        .iter()
        .copied()
        .chain(words.iter().map(String::as_str))
        .collect();
    chancery(&all, "")
}

fn values(output: &std::process::Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Sends; the message's id and its verdict.
fn send(node: &Node, from: &str, to: &str, label: &str) -> (String, String) {
    let profile = node.profile(from);
    let told = good(
        &[
            "--json",
            "send",
            "-",
            "--profile",
            &profile,
            "--to",
            to,
            "--label",
            label,
            "--no-personal-data",
            "--purpose",
            "cyber-crisis",
            "--evaluation",
            "B2",
            "--subject",
            "Fictitious",
        ],
        "text",
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    (
        told["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned(),
        told["recipients"][0]["verdict"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

#[test]
fn a_rule_is_replayed_proved_signed_by_two_and_decides() {
    let mut node = Node::make(&["europol-ec3", "cert-eu", "csirt-alpha"]);
    node.start();
    let site = site(&node);
    let before = node.officer("dimitri", &["audit", "list"]).len();
    assert!(before > 0);

    // Traffic: what the rule will hold, and what it will not.
    let mut red = BTreeSet::new();
    for _ in 0..2 {
        let (message, verdict) = send(&node, "europol-ec3", "cert-eu", "TLP:RED");
        assert_eq!(verdict, "permit");
        red.insert(message);
        send(&node, "europol-ec3", "cert-eu", "TLP:GREEN");
        send(&node, "cert-eu", "csirt-alpha", "TLP:RED");
    }
    // One of them is delivered, and one refused, before it is run again.
    let inbox = node.profile("cert-eu");
    let listed = good(&["--json", "inbox", "--profile", &inbox], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let first = listed["deliveries"][0]["delivery"].as_str().unwrap();
    for step in ["--fetch", "--ack"] {
        let _done = good(&["inbox", "--profile", &inbox, step, first], "");
    }

    // The same rules flip nothing, the seeded change exactly what it must.
    let since = ["--since", "2026-01-01"];
    let same = node.as_officer(
        "dimitri",
        &[
            &["--json", "policy", "replay", "--policy", "shipped"][..],
            &since,
        ]
        .concat(),
    );
    assert!(same.status.success(), "{}", told(&same));
    let summary = &values(&same)[0];
    assert_eq!(
        (summary["decisions"].as_u64(), summary["flips"].as_u64()),
        (Some(6), Some(0)),
        "{summary}"
    );
    let folder = site.display().to_string();
    let seeded = node.as_officer(
        "dimitri",
        &[
            &["--json", "policy", "replay", "--policy", &folder][..],
            &since,
        ]
        .concat(),
    );
    assert_eq!(seeded.status.code(), Some(1), "{}", told(&seeded));
    let all = values(&seeded);
    let (summary, flips) = all.split_last().unwrap();
    let flipped: BTreeSet<String> = flips
        .iter()
        .map(|flip| {
            flip["id"]
                .as_str()
                .unwrap()
                .split(['|', '/'])
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(flipped, red, "{flips:?}");
    assert!(
        flips
            .iter()
            .all(|flip| flip["old"] == "permit" && flip["new"] == "review L01")
    );
    assert_eq!(summary["wider"], 0);

    // Proposed with its evidence; an unsound set is not even proposed.
    let proposed = run(
        &command(&node, "chancery policy propose", &site, ""),
        &["--json"],
    );
    assert!(proposed.status.success(), "{}", told(&proposed));
    let proposal = &values(&proposed)[0];
    let id = proposal["id"].as_str().unwrap().to_owned();
    let evidence: Value = serde_json::from_str(proposal["evidence"].as_str().unwrap()).unwrap();
    assert_eq!(evidence["replay"]["summary"]["flips"], 2);
    assert_eq!(
        evidence["proof"]["result"], "answered",
        "the solver: appliance/packages/solver"
    );
    refused_sets(&node, &site);

    // The approving officer sees it all before signing.
    let shown = run(&command(&node, "chancery policy show", &site, &id), &[]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for wanted in [
        "95-red.cedar: new",
        "a person looks at RED before it leaves us",
        "6 past decisions run again, 2 would come out differently",
        "europol-ec3 to cert-eu | permit -> review L01",
        "proved    not-wider-consent",
        "cvc5",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let own: Vec<String> = command(&node, "chancery policy approve", &site, &id)
        .into_iter()
        .map(|word| word.replace("elena", "dimitri"))
        .collect();
    let own = run(&own, &[]);
    assert_eq!(own.status.code(), Some(1), "{}", told(&own));
    assert_eq!(send(&node, "europol-ec3", "cert-eu", "TLP:RED").1, "permit");

    let approved = run(&command(&node, "chancery policy approve", &site, &id), &[]);
    let text = told(&approved);
    assert!(approved.status.success(), "{text}");
    assert!(text.contains("2 would come out differently"), "{text}");
    assert!(text.contains("policy policies is in force"), "{text}");
    assert_eq!(send(&node, "europol-ec3", "cert-eu", "TLP:RED").1, "review");
    assert_eq!(send(&node, "cert-eu", "csirt-alpha", "TLP:RED").1, "permit");

    // Both sets that ever decided are there by their hashes, to be run again.
    let sets = node.officer("elena", &["policy", "sets"]);
    assert_eq!(sets.len(), 2, "{sets:?}");
    assert_eq!(sets[0]["policy"], evidence["running"]);
    assert_eq!(sets[1]["policy"], evidence["policy"]);
    let again = node.path("again").display().to_string();
    let hash = sets[1]["policy"].as_str().unwrap();
    node.officer("elena", &["policy", "sets", &hash[..12], "--out", &again]);
    let test = chancery(&["policy", "test", "--policies", &again], "");
    assert!(test.status.success(), "{}", told(&test));
    let same = chancery(&["policy", "diff", &folder, &again], "");
    assert!(same.status.success(), "{}", told(&same));

    // It outlives a restart, and the log tells how it came.
    node.stop();
    node.start();
    assert_eq!(send(&node, "europol-ec3", "cert-eu", "TLP:RED").1, "review");
    let log = std::fs::read_to_string(node.export("log.export")).unwrap();
    let hash = evidence["policy"].as_str().unwrap();
    let activated = log
        .lines()
        .rfind(|line| line.contains("policy.activated"))
        .unwrap();
    for wanted in [hash, "claims proved by cvc5", "dimitri", "elena", "flips"] {
        assert!(activated.contains(wanted), "{wanted}: {activated}");
    }
    let held = log
        .lines()
        .rfind(|line| line.contains("release.held"))
        .unwrap();
    assert!(held.contains(hash), "{held}");
    assert_eq!(
        log.matches("not signed").count(),
        0,
        "no alarm of the rules' files"
    );
}

/// Sets that are not even proposed, each with its reason.
fn refused_sets(node: &Node, site: &Path) {
    let words = |folder: &Path, more: &[&str]| {
        let mut all = vec!["policy", "propose", "--policies"];
        let folder = folder.display().to_string();
        all.push(&folder);
        all.extend(["--why", "for the test"]);
        all.extend(more);
        let refused = node.as_officer("elena", &all);
        assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
        told(&refused)
    };
    let copy = |name: &str, file: &str, change: &dyn Fn(String) -> String| {
        let folder = node.path(name);
        std::fs::create_dir(&folder).unwrap();
        for entry in std::fs::read_dir(site).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let changed = change(std::fs::read_to_string(folder.join(file)).unwrap());
        std::fs::write(folder.join(file), changed).unwrap();
        folder
    };
    let case = copy("wrong-case", "95-red.cases.toml", &|text| {
        text.replace("verdict = \"permit\"", "verdict = \"deny\"")
    });
    assert!(words(&case, &[]).contains("come out differently"));
    let line = copy("unread", "95-red.cedar", &|text| {
        text.replace("context.tlp", "context.tpl")
    });
    assert!(words(&line, &[]).contains("95-red.cedar:"), "with its line");
    // Wider where no case looks: the proof does.
    let wider = copy("wider", "90-judgement.cedar", &|text| {
        let (before, rule) = text.split_once("when {").unwrap();
        format!("{before}when {{ context.purpose != Purpose::\"cyber-defence\" &&{rule}")
    });
    let said = words(&wider, &[]);
    assert!(said.contains("say --wider"), "{said}");
    assert!(said.contains("REFUTED  not-wider-reviews"), "{said}");
    let meant = node.officer(
        "elena",
        &[
            "policy",
            "propose",
            "--policies",
            &wider.display().to_string(),
            "--why",
            "for the test",
            "--wider",
        ],
    );
    let id = meant[0]["id"].as_str().unwrap();
    let shown = node.as_officer("dimitri", &["policy", "show", id]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("WIDER     not-wider-reviews"), "{text}");
    assert!(text.contains("for example: a message"), "{text}");
    node.officer("dimitri", &["policy", "refuse", id]);
    // A solver that does not answer is no solver that is not there.
    let said = words(site, &["--solver", "/nonexistent/cvc5"]);
    assert!(said.contains("does not run"), "{said}");
}
