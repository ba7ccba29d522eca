//! What a change of the rules does, through the real command: diff, replay,
//! proof, and the guide to adding a rule by the letter. The proofs need the
//! solver (`appliance/packages/solver`); without it they fail.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    dead_code,
    reason = "a helper of a test that fails ends the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

#[path = "../../../gateway/policy/tests/common/random.rs"]
mod random;
#[path = "../../../gateway/policy/tests/common/second.rs"]
mod second;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/policies");
const GUIDE: &str = include_str!("../../../docs/adding-a-rule.md");

/// A rule that only looks at TLP:RED: which decisions it changes is easy to say.
const SEEDED: &str = "@gate(\"L01\")\n@effect(\"review\")\n@rule(\"RED is looked at\")\nforbid (principal, action, resource)\nwhen { context.tlp == Tlp::\"RED\" };\n";

fn chancery(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Who does not read its input has said why on standard error.
        let _written = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn values(output: &Output) -> Vec<Value> {
    out(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What becomes of a file's text; of a new file's, of none.
type Change<'a> = &'a dyn Fn(&str) -> String;

/// A copy of the shipped rules and cases, with files changed or added.
fn copy(changes: &[(&str, Change<'_>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(POLICIES).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    for (name, change) in changes {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, change(&text)).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn diff_shows_what_changes_on_the_matrix() {
    let seeded = copy(&[("95-red.cedar", &|_| SEEDED.to_owned())]);
    let same = chancery(&["policy", "diff", "shipped", POLICIES], b"");
    assert!(same.status.success(), "{}", err(&same));
    assert!(out(&same).contains("none changes"), "{}", out(&same));

    let changed = chancery(&["policy", "diff", POLICIES, text(seeded.path())], b"");
    assert_eq!(changed.status.code(), Some(1));
    assert!(err(&changed).contains("decisions of the matrix change"));
    let table = out(&changed);
    assert!(table.lines().count() > 10, "{table}");
    for line in table.lines() {
        assert!(line.contains("TLP:RED"), "{line}");
        assert!(line.ends_with("-> review L01"), "{line}");
    }
    let json = chancery(
        &["--json", "policy", "diff", POLICIES, text(seeded.path())],
        b"",
    );
    let all = values(&json);
    let (summary, flips) = all.split_last().unwrap();
    assert_eq!(summary["flips"], flips.len());
    assert_eq!(table.lines().count(), flips.len());
    assert!(flips.iter().all(|flip| flip["old"] == "permit"));

    let unreadable = copy(&[("95-red.cedar", &|_| "forbid (".to_owned())]);
    let refused = chancery(&["policy", "diff", POLICIES, text(unreadable.path())], b"");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        err(&refused).contains("95-red.cedar:1"),
        "{}",
        err(&refused)
    );
}

/// How many decisions are replayed: `CHANCERY_REPLAYED`, or 10,000.
fn replayed() -> usize {
    std::env::var("CHANCERY_REPLAYED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000)
}

/// Past decisions as a node keeps them, decided by the shipped rules, one an hour
/// from the first of January 2026 on; and the ids of those that the seeded rule
/// changes, by the second reading.
fn past(count: usize) -> (String, BTreeSet<String>) {
    let mut random = random::Random(0x0DDB_1A5E_5BAD_5EED);
    let (mut lines, mut flips) = (String::new(), BTreeSet::new());
    for number in 0..count {
        let id = format!("P{number}");
        let facts = random::facts(&id, &mut random, number % 2 == 0);
        let (verdict, gates) = second::second(&facts);
        let day = 1 + number % 28;
        let gates_json = serde_json::to_string(&gates).unwrap();
        lines.push_str(&format!(
            "{{\"at\":\"2026-01-{day:02}T12:00:00Z\",\"from\":\"cert-eu\",\"to\":\"europol-ec3\",\"verdict\":\"{verdict}\",\
             \"gates\":{gates_json},\"policy\":\"00\",\"mou\":null,\"facts\":{facts}}}\n"
        ));
        // A review more: a permit becomes one, a review without a missing label
        // has one gate more, a denial stays as it is.
        let red = facts.contains("\"tlp\":\"RED\"");
        if red && verdict != "deny" && gates != ["G02"] {
            flips.insert(id);
        }
    }
    (lines, flips)
}

#[test]
fn replay_of_the_same_rules_flips_nothing_and_of_a_seeded_change_exactly_its_own() {
    let count = replayed();
    let (lines, expected) = past(count);
    assert!(expected.len() > count / 100);
    let start = Instant::now();
    let same = chancery(
        &["--json", "policy", "replay", "--policy", POLICIES, "-"],
        lines.as_bytes(),
    );
    let seconds = start.elapsed().as_secs_f64();
    assert!(same.status.success(), "{}", err(&same));
    let summary = &values(&same)[0];
    assert_eq!(
        (&summary["decisions"], &summary["flips"]),
        (&count.into(), &0.into())
    );
    eprintln!("{count} decisions run again in {seconds:.1} s");

    let seeded = copy(&[("95-red.cedar", &|_| SEEDED.to_owned())]);
    let replay = [
        "--json",
        "policy",
        "replay",
        "--policy",
        text(seeded.path()),
    ];
    let changed = chancery(&[&replay[..], &["-"]].concat(), lines.as_bytes());
    assert_eq!(changed.status.code(), Some(1));
    let all = values(&changed);
    let (summary, flips) = all.split_last().unwrap();
    assert_eq!(summary["flips"], flips.len());
    assert_eq!(summary["wider"], 0);
    let found: BTreeSet<String> = flips
        .iter()
        .map(|flip| flip["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, expected);

    // From a day on: the 15th to the 28th are half of all days.
    let late = [&replay[..], &["--since", "2026-01-15", "-"]].concat();
    let late = values(&chancery(&late, lines.as_bytes())).pop().unwrap();
    assert_eq!(
        late["decisions"].as_u64().unwrap() + late["older"].as_u64().unwrap(),
        count as u64
    );
    assert!(late["older"].as_u64().unwrap() > 0);
}

#[test]
fn replay_reads_facts_alone_and_says_what_it_cannot_read() {
    let mut random = random::Random(77);
    let facts = random::facts("A1", &mut random, true);
    let same = chancery(
        &["policy", "replay", "--policy", "shipped", "-"],
        facts.as_bytes(),
    );
    assert!(same.status.success(), "{}", err(&same));
    let refused = chancery(
        &["policy", "replay", "--policy", "shipped", "-"],
        format!("{facts}\nnonsense\n").as_bytes(),
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("line 2"), "{}", err(&refused));
    let no_time = chancery(
        &[
            "policy",
            "replay",
            "--policy",
            "shipped",
            "--since",
            "2026-01-01",
            "-",
        ],
        facts.as_bytes(),
    );
    assert_eq!(no_time.status.code(), Some(1));
    assert!(
        err(&no_time).contains("do not say when"),
        "{}",
        err(&no_time)
    );
    let nothing = chancery(&["policy", "replay", "-"], b"");
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn a_proposed_mou_is_replayed_too() {
    let mous = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/mous");
    for entry in fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // What police and CSIRTs may exchange is lowered to NC.
        let text = if path.ends_with("civilian-law-enforcement.toml") {
            text.replace("ceiling = \"R-UE\"", "ceiling = \"NC\"")
        } else {
            text
        };
        fs::write(mous.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let facts = |id: &str, level: &str| {
        format!(
            r#"{{"id":"{id}","label_state":"valid","classification":"{level}","personal_data":false,"purpose":"cyber-crisis","sender_community":"civilian","recipient_community":"law-enforcement","sender_kind":"agency","recipient_kind":"agency","recipient_country":"EU","recipient_clearance":"S-UE","channel_accreditation":"C-UE","crypto_approval":"C-UE","mou_ceiling":"R-UE","holder_is_originator":true,"addressed":true,"relation":"community","mou":"active"}}"#
        )
    };
    let line = |id: &str, level: &str| {
        format!(
            "{{\"at\":\"2026-03-01T12:00:00Z\",\"from\":\"cert-eu\",\"to\":\"europol-ec3\",\"verdict\":\"permit\",\"gates\":[],\"policy\":\"00\",\"facts\":{}}}\n",
            facts(id, level)
        )
    };
    let lines = line("low", "NC") + &line("restricted", "R-UE");
    let run = |mous: &str| {
        chancery(
            &[
                "--json",
                "policy",
                "replay",
                "--mous",
                mous,
                "--on",
                "2026-03-01",
                "-",
            ],
            lines.as_bytes(),
        )
    };
    let same = run(shipped);
    assert!(same.status.success(), "{}{}", out(&same), err(&same));
    let changed = run(text(mous.path()));
    let all = values(&changed);
    assert_eq!(all.len(), 2, "{}{}", out(&changed), err(&changed));
    assert_eq!(
        (all[0]["id"].as_str(), all[0]["new"].as_str()),
        (Some("restricted"), Some("deny G07"))
    );
}

#[test]
fn prove_proves_the_shipped_set_and_says_by_what() {
    let proved = chancery(&["--json", "policy", "prove", "--against", "shipped"], b"");
    assert!(proved.status.success(), "{}{}", out(&proved), err(&proved));
    let report = &values(&proved)[0];
    assert_eq!(report["proved"], true);
    assert!(report["solver"].as_str().unwrap().starts_with("cvc5 "));
    let names: Vec<&str> = report["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| claim["name"].as_str().unwrap())
        .collect();
    for name in [
        "private-tlp",
        "private-euci",
        "mou-active",
        "mou-ceiling",
        "clearance",
        "accreditation",
        "not-wider-denials",
        "not-wider-reviews",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn prove_shows_a_release_that_decide_can_run() {
    let weak = copy(&[("50-tlp.cedar", &|text: &str| {
        let weak = text.replace(
            "context.ungranted && !context.addressed",
            "context.ungranted && !context.addressed && context.relation == Relation::\"outside\"",
        );
        assert_ne!(weak, text);
        weak
    })]);
    let folder = text(weak.path());
    let told = chancery(
        &["policy", "prove", "--policies", folder, "--only", "tlp-red"],
        b"",
    );
    assert_eq!(told.status.code(), Some(1));
    assert!(out(&told).contains("REFUTED  tlp-red"), "{}", out(&told));
    assert!(
        out(&told).contains("a message NC TLP:RED from an agency"),
        "{}",
        out(&told)
    );
    assert!(
        err(&told).contains("must not be activated"),
        "{}",
        err(&told)
    );

    let json = chancery(
        &[
            "--json",
            "policy",
            "prove",
            "--policies",
            folder,
            "--only",
            "tlp-red",
        ],
        b"",
    );
    let report = &values(&json)[0];
    assert_eq!(report["proved"], false);
    let facts = report["claims"][0]["counterexample"]["facts"].to_string();
    let decide = |policies: &str| {
        let answer = chancery(
            &["policy", "decide", "--policies", policies],
            facts.as_bytes(),
        );
        values(&answer).remove(0)
    };
    assert_eq!(decide(folder)["verdict"], "permit");
    let before = decide(POLICIES);
    assert_eq!(
        (&before["verdict"], &before["gates"]),
        (&"deny".into(), &serde_json::json!(["G14"]))
    );
}

#[test]
fn without_a_solver_nothing_is_proved() {
    for solver in ["/nonexistent/cvc5", "/bin/true", env!("CARGO_MANIFEST_DIR")] {
        let refused = chancery(&["policy", "prove", "--solver", solver], b"");
        assert_eq!(refused.status.code(), Some(1), "{solver}");
        assert!(
            err(&refused).contains("appliance/packages/solver"),
            "{}",
            err(&refused)
        );
        assert_eq!(out(&refused), "", "{solver}");
    }
}

#[test]
fn a_solver_that_is_there_and_broken_is_not_taken_for_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ask = || {
        let told = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(["policy", "prove", "--only", "clearance"])
            .env_remove("CVC5")
            .env("PATH", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(1));
        err(&told)
    };
    assert!(ask().contains("no solver: install cvc5"), "{}", ask());
    let broken = folder.path().join("cvc5");
    fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(ask().contains("does not run"), "{}", ask());
}

/// The fenced blocks of the guide, each with the path that stands above it.
fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let fence = format!("```{language}\n");
    let mut all = Vec::new();
    for (at, _) in GUIDE.match_indices(&fence) {
        let before = &GUIDE[..at];
        let path = before.rsplit('`').nth(1).unwrap();
        let block = GUIDE[at + fence.len()..].split("```").next().unwrap();
        let lines: Vec<&str> = block
            .lines()
            .map(|line| line.strip_prefix("   ").unwrap_or(line))
            .collect();
        all.push((PathBuf::from(path), lines.join("\n")));
    }
    all
}

#[test]
fn the_guide_to_adding_a_rule_works_by_the_letter() {
    // A site's own copy of the rules, and the files that the guide writes.
    let site = copy(&[]);
    let files = [blocks("cedar"), blocks("toml")].concat();
    assert_eq!(files.len(), 2);
    for (path, block) in &files {
        assert!(path.starts_with("config/policies"), "{}", path.display());
        let name = path.file_name().unwrap();
        assert!(
            !Path::new(POLICIES).join(name).exists(),
            "the example is shipped"
        );
        fs::write(site.path().join(name), block).unwrap();
    }
    let folder = text(site.path());
    let test = chancery(&["policy", "test", "--policies", folder], b"");
    assert!(test.status.success(), "{}", err(&test));
    assert!(
        out(&test).contains("RED leaves law enforcement: review L01"),
        "{}",
        out(&test)
    );
    let diff = chancery(&["policy", "diff", POLICIES, folder], b"");
    assert_eq!(diff.status.code(), Some(1));
    assert!(
        out(&diff)
            .lines()
            .all(|line| line.ends_with("-> review L01")),
        "{}",
        out(&diff)
    );
    let replay = chancery(
        &["policy", "replay", "--policy", folder, "-"],
        include_bytes!("../../../config/examples/facts.jsonl"),
    );
    // The examples have a line that is broken: the guide says what is told then.
    assert_eq!(replay.status.code(), Some(1));
    let prove = chancery(
        &[
            "policy",
            "prove",
            "--policies",
            folder,
            "--against",
            POLICIES,
            "--only",
            "not-wider-reviews",
        ],
        b"",
    );
    assert!(prove.status.success(), "{}{}", out(&prove), err(&prove));
    // What the guide says of mistakes.
    let misspelt = copy(&[("95-red.cedar", &|_| {
        files[0].1.replace("context.tlp", "context.tpl")
    })]);
    let refused = chancery(
        &["policy", "test", "--policies", text(misspelt.path())],
        b"",
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("95-red.cedar:"), "{}", err(&refused));
    let uncovered = copy(&[("95-red.cedar", &|_| files[0].1.clone())]);
    let refused = chancery(
        &["policy", "test", "--policies", text(uncovered.path())],
        b"",
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("L01"), "{}", err(&refused));
}
