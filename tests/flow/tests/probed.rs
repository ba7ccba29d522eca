//! The real doors and readers, tried from inside; and messages that kill or
//! hold up their reader.
#![forbid(unsafe_code)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_probes::{ABORT, LOOP, MARK, told, tries};
use chancery_settings::Settings;
use chancery_world::{Node, Setup, chancery, programs};
use serde_json::Value;
use tempfile::TempDir;

/// The programs of a node whose doors and readers are the probing ones.
fn probing(node: &Node) -> PathBuf {
    let folder = node.path("programs");
    std::fs::create_dir(&folder).unwrap();
    for (name, program) in [
        ("chancery-custodian", "chancery-custodian"),
        ("chancery-core", "chancery-core"),
        ("chancery-door", "chancery-probe-door"),
        ("chancery-reader", "chancery-probe-reader"),
    ] {
        let program = programs().join(program);
        assert!(program.is_file(), "{} is not built", program.display());
        std::os::unix::fs::symlink(program, folder.join(name)).unwrap();
    }
    folder
}

/// A node with all doors, LMTP on a Unix socket in that folder, and little patience.
fn node() -> (Node, TempDir) {
    let lmtp = tempfile::tempdir().unwrap();
    let mut setup = Setup::with(&["mail", "siena", "rest"]);
    setup.lmtp = Some(format!("unix:{}", lmtp.path().join("lmtp.sock").display()));
    let node = Node::new(&setup);
    node.enroll("csirt-alpha", "rest");
    node.enroll("cert-eu", "rest");
    node.enroll("europol-ec3", "siena");
    node.set("limits", "reading_s", "2");
    (node, lmtp)
}

fn settings(node: &Node) -> Settings {
    Settings::load(Path::new(&node.config())).unwrap()
}

type Outcomes = BTreeMap<String, BTreeMap<String, Result<(), String>>>;

/// What the probes told, by process and try.
fn outcomes(node: &Node) -> Outcomes {
    let log = std::fs::read_to_string(node.path("node.log")).unwrap();
    let mut found = Outcomes::new();
    for (process, what, outcome) in log.lines().filter_map(told::read) {
        found.entry(process).or_default().insert(what, outcome);
    }
    found
}

#[test]
fn from_inside_nothing_is_reached() {
    let (mut node, _lmtp) = node();
    let programs = probing(&node);
    node.start_from(&programs);
    let settings = settings(&node);
    // The same user can do all of it outside: a denial says something.
    let outside = tries::all(&settings);
    for (what, outcome) in &outside {
        assert!(outcome.is_ok(), "{what} outside: {outcome:?}");
    }
    let inside = outcomes(&node);
    let processes: Vec<&str> = inside.keys().map(String::as_str).collect();
    assert_eq!(
        processes,
        [
            "door-mail",
            "door-rest",
            "door-siena",
            "reader-mail",
            "reader-rest",
            "reader-siena"
        ]
    );
    let landlock = landlock(&node);
    for (process, found) in &inside {
        for (what, _) in &outside {
            let denied = found[*what].is_err();
            // Seccomp holds everything of a reader. What a door reads is held
            // by Landlock; the mail door may ask a name server and its relay.
            let reads = matches!(
                *what,
                "read-database" | "list-data" | "list-token" | "read-pin"
            );
            let relay = process == "door-mail" && matches!(*what, "connect" | "datagram");
            let held = match (process.starts_with("reader-"), relay) {
                (true, _) => true,
                (false, true) => *what == "connect" && landlock >= 4,
                (false, false) => !reads || landlock >= 1,
            };
            assert!(denied || !held, "{process} can {what}");
        }
        assert!(
            tries::NETWORK.iter().all(|what| found.contains_key(*what)),
            "{process} tried no network"
        );
    }
    if landlock == 0 {
        eprintln!("this kernel has no Landlock: what doors read was not tried");
    }

    // Nobody has a key that is not his own.
    for (process, found) in &inside {
        let asked: Vec<_> = found
            .iter()
            .filter(|(what, _)| what.starts_with("ask-"))
            .collect();
        match process.as_str() {
            "reader-siena" | "reader-rest" => {
                assert!(asked.is_empty());
                assert!(found["link-custodian"].is_err(), "{process} has a link");
            }
            _ => {
                assert!(asked.len() >= 8, "{process} asked {asked:?}");
                for (what, outcome) in asked {
                    assert_eq!(
                        outcome.as_ref().err().map(String::as_str),
                        Some("denied"),
                        "{process}: {what}"
                    );
                }
            }
        }
    }
    // And the custodian has it on record, by who asked for what.
    let log = settings.custodian.state_dir.join("custodian.log");
    let refused: BTreeSet<(String, String)> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["outcome"] == "refused")
        .map(|line| {
            let word = |key: &str| line[key].as_str().unwrap().to_owned();
            (word("client"), word("detail"))
        })
        .collect();
    for (client, role) in [
        ("reader/mail", "tls/rest"),
        ("reader/mail", "tls/mail"),
        ("door/mail", "tls/siena"),
        ("door/siena", "tls/rest"),
        ("door/rest", "tls/mail"),
        ("door/rest", "audit/checkpoint"),
    ] {
        assert!(
            refused
                .iter()
                .any(|(who, detail)| who == client && detail.starts_with(&format!("{role}:"))),
            "{client} asked for {role}: {refused:?}"
        );
    }
    node.stop();
}

/// The kernel's Landlock version, as the sandboxed daemons tell it.
fn landlock(node: &Node) -> u32 {
    let log = std::fs::read_to_string(node.path("node.log")).unwrap();
    let (_, after) = log.split_once("Landlock ").unwrap();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn contains(file: &Path, mark: &[u8]) -> bool {
    let bytes = std::fs::read(file).unwrap();
    bytes.windows(mark.len()).any(|part| part == mark)
}

#[test]
fn shipped_programs_have_no_probe() {
    for name in ["chancery-probe-door", "chancery-probe-reader"] {
        assert!(contains(&programs().join(name), MARK.as_bytes()), "{name}");
    }
    for name in [
        "chancery",
        "chancery-core",
        "chancery-custodian",
        "chancery-door",
        "chancery-reader",
    ] {
        let program = programs().join(name);
        for mark in [MARK.as_bytes(), ABORT, LOOP] {
            assert!(!contains(&program, mark), "{name}");
        }
    }
}

fn send(node: &Node, subject: &str) -> Value {
    let profile = node.profile("csirt-alpha");
    let output = chancery(
        &[
            "--json",
            "send",
            "-",
            "--profile",
            &profile,
            "--to",
            "cert-eu",
            "--label",
            "UNCLASSIFIED",
            "--no-personal-data",
            "--subject",
            subject,
        ],
        "text",
    );
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}: {}", chancery_world::told(&output), node.last_lines()))
}

/// A SIENA-style message; the answer.
fn send_siena(node: &Node, subject: &str) -> String {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<message xmlns=\"urn:chancery:siena-style:1\" version=\"1\">\
         <kind>information</kind><caseReference>CASE-1</caseReference>\
         <classification>UNCLASSIFIED</classification><handlingCodes></handlingCodes>\
         <evaluation source=\"B\" information=\"2\"/><personalData>false</personalData>\
         <recipients><recipient role=\"to\">cert-eu</recipient></recipients>\
         <subject>{subject}</subject><text>text</text></message>\n"
    );
    node.siena("europol-ec3").send(&document, None).body
}

/// A mail by LMTP over the Unix socket; the answer to its data.
fn send_mail(lmtp: &Path, subject: &str) -> String {
    let stream = UnixStream::connect(lmtp.join("lmtp.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(110)))
        .unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut answer = || loop {
        let line = lines.next().unwrap().unwrap();
        if line.as_bytes().get(3) == Some(&b' ') {
            return line;
        }
    };
    let say = |text: String| (&stream).write_all(text.as_bytes()).unwrap();
    assert!(answer().starts_with("220"));
    say("LHLO relay.example.eu\r\n".to_owned());
    assert!(answer().starts_with("250"));
    say("MAIL FROM:<someone@example.eu>\r\n".to_owned());
    assert!(answer().starts_with("250"));
    say("RCPT TO:<cert-eu@gateway.example.eu>\r\n".to_owned());
    let taken = answer();
    assert!(taken.starts_with("250"), "{taken}");
    say("DATA\r\n".to_owned());
    assert!(answer().starts_with("354"));
    say(format!(
        "From: someone@example.eu\r\nTo: cert-eu@gateway.example.eu\r\n\
         Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{}@example.eu>\r\n\
         Subject: {subject}\r\n\r\ntext\r\n.\r\n",
        subject.len()
    ));
    answer()
}

#[test]
fn what_kills_or_holds_up_its_reader_is_set_aside_while_others_flow() {
    let (mut node, lmtp) = node();
    let programs = probing(&node);
    node.start_from(&programs);
    let (abort, forever) = (
        String::from_utf8(ABORT.to_vec()).unwrap(),
        String::from_utf8(LOOP.to_vec()).unwrap(),
    );
    // All at once, through every channel, with others among them.
    let (node, lmtp) = (&node, lmtp.path());
    let (kept, flowed) = std::thread::scope(|scope| {
        let mut kept = Vec::new();
        for mark in [&abort, &forever] {
            kept.push(scope.spawn(move || {
                let answer = send(node, mark);
                assert_eq!(answer["state"], "quarantined", "{answer}");
                "rest"
            }));
            kept.push(scope.spawn(move || {
                let answer = send_siena(node, mark);
                assert!(answer.contains("<quarantined"), "{answer}");
                "siena"
            }));
            kept.push(scope.spawn(move || {
                let answer = send_mail(lmtp, mark);
                assert!(answer.starts_with("250"), "{answer}");
                "mail"
            }));
        }
        let flowed: Vec<_> = (0..4)
            .map(|sender| {
                scope.spawn(move || {
                    let mut ids = BTreeSet::new();
                    for number in 0..4 {
                        let answer = send(node, &format!("message {sender}.{number}"));
                        // Not one of them is suspected for long.
                        assert_eq!(answer["recipients"][0]["verdict"], "permit", "{answer}");
                        ids.insert(answer["id"].as_str().unwrap().to_owned());
                    }
                    ids
                })
            })
            .collect();
        let kept: Vec<&str> = kept.into_iter().map(|one| one.join().unwrap()).collect();
        let flowed: BTreeSet<String> = flowed
            .into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect();
        (kept, flowed)
    });
    assert_eq!((kept.len(), flowed.len()), (6, 16));

    // Officers see them.
    let listed = node.as_officer("greta", &["--json", "review", "list"]);
    assert!(listed.status.success(), "{}", chancery_world::told(&listed));
    let text = String::from_utf8(listed.stdout).unwrap();
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let died = cases
        .iter()
        .filter(|case| case.to_string().contains("its reader died on it"))
        .count();
    assert_eq!(died, 6, "{text}");

    // The others are where they should be.
    let profile = node.profile("cert-eu");
    let inbox = chancery_world::good(
        &["--json", "inbox", "--profile", &profile, "--limit", "200"],
        "",
    );
    let inbox: Value = serde_json::from_str(&inbox).unwrap();
    assert_eq!(inbox["deliveries"].as_array().unwrap().len(), 16);

    let export = node.export("log.export");
    let verified = node.verify(&export);
    assert!(
        verified.status.success(),
        "{}",
        chancery_world::told(&verified)
    );
    let log = std::fs::read_to_string(&export).unwrap();
    assert_eq!(log.matches("\"message.quarantined\"").count(), 6);
}
