//! A policy set comes into force with its evidence, which both officers sign: the
//! cases, the replay over the node's own decisions, and the proof. Anything less
//! is refused, with one record, and what is in force stays. And the tables of the
//! rules must be those of the log.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::BTreeMap;

use chancery_audit::{EventKind, Key};
use chancery_label::{Label, Level, Tlp};
use chancery_message::{AssertedLabel, Channel, LabelSource};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{RefusalKind, Verdict};
use chancery_pipeline::rows::DocumentKind;
use chancery_pipeline::rulebook::{
    self, Book, BookError, Change, Proposal, ProposalState, RuleText,
};
use chancery_pipeline::stages::history;
use chancery_policy::PolicyTexts;
use chancery_policy::approval::Vote;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::{
    self, Cases, Claim, ClaimAnswer, Evidence, FORM, Proof, Replayed, invariants_digest,
};
use chancery_policy::replay::{Replay, Summary};
use chancery_policy::shipped;
use chancery_route::{World, message, refusal};
use chancery_seal::RowKey;
use chancery_store::{Store, StoreConfig};

const LOOKED_AT: &str = r#"@gate("L01")
@effect("review")
@rule("a person looks at TLP:RED of CSIRTs")
forbid (principal, action, resource)
when { context.tlp == Tlp::"RED" && context.sender_community == Community::"civilian" };
"#;
const CASES: &str = r#"[[case]]
name = "RED of a CSIRT"
facts = { tlp = "RED", sender_community = "civilian", recipient_community = "civilian" }
verdict = "review"
gates = ["L01"]

[[case]]
name = "RED of the police"
facts = { tlp = "RED" }
verdict = "permit"
"#;

/// The shipped set with one rule more.
fn proposed() -> PolicyTexts {
    PolicyTexts::shipped().with("95-red.cedar", LOOKED_AT)
}

/// The cases beside it.
fn cases() -> BTreeMap<String, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/policies");
    let mut all = BTreeMap::from([("95-red.cases.toml".to_owned(), CASES.to_owned())]);
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".cases.toml") {
            all.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
    all
}

fn book(world: &World) -> Book {
    Book::read(world.gateway.ledger.as_ref(), &world.gateway.row_key).expect("the book")
}

/// Honest evidence, as the command makes it where there is no solver.
fn honest(world: &World) -> Evidence {
    let set = proposed();
    let engine = Engine::load(&set).expect("loads");
    let files = cases();
    let held = files
        .values()
        .map(|text| {
            chancery_policy::cases::run(&engine, text)
                .expect("runs")
                .len() as u64
        })
        .sum();
    let rules = world.gateway.rules();
    let mut running = Replay {
        new: &engine,
        old: rules.engine(),
        agreements: None,
        since: None,
    }
    .begin();
    let past = history::decisions(&world.gateway, None, None, 5000).expect("decisions");
    let mut flips = Vec::new();
    for one in &past.decisions {
        let line = serde_json::to_string(one).expect("json");
        flips.extend(running.line(&line).expect("a decision"));
    }
    let book = book(world);
    Evidence {
        form: FORM.to_owned(),
        program: "chancery test".to_owned(),
        policy: hex::encode(set.hash()),
        running: hex::encode(book.running()),
        agreements: hex::encode(book.agreements()),
        cases: Cases { held, files },
        replay: Replayed {
            since: None,
            read: past.decisions.len() as u64,
            summary: running.end(),
            flips,
        },
        proof: Proof::NoSolver {
            why: "a test".to_owned(),
        },
    }
}

/// A proof in which every claim is proved.
fn proved() -> Proof {
    Proof::Answered {
        solver: "cvc5 1.4.2".to_owned(),
        invariants: invariants_digest(shipped::INVARIANTS),
        claims: evidence::claims()
            .expect("claims")
            .into_iter()
            .map(|(name, says)| Claim {
                name,
                says,
                answer: ClaimAnswer::Proved,
            })
            .collect(),
    }
}

fn change(evidence: &Evidence) -> Change {
    Change::new(RuleText::policies(&proposed()), "RED is looked at")
        .with_evidence(evidence.to_text())
}

fn propose(world: &World, change: &Change) -> Result<Proposal, StageError> {
    let signed = world.sign(
        "dimitri",
        change.rule.operation(),
        change.digest(),
        Vote::Approve,
    );
    rulebook::propose(&world.gateway, change, &signed)
}

fn approve(world: &World, proposal: &Proposal, change: &Change) -> Result<Proposal, StageError> {
    let signed = world.sign(
        "elena",
        change.rule.operation(),
        change.digest(),
        Vote::Approve,
    );
    rulebook::approve(&world.gateway, &proposal.id, &signed)
}

/// A message TLP:RED from one CSIRT to another.
fn red(world: &World) -> Verdict {
    let mut submission = message(&["csirt-alpha"], Level::Nc);
    submission.label = AssertedLabel::Valid {
        label: Label {
            tlp: Some(Tlp::Red),
            ..Label::of(Level::Nc)
        },
        source: LabelSource::Field,
    };
    world
        .accepted("cert-eu", Channel::Rest, submission)
        .recipients[0]
        .verdict
}

#[test]
fn a_policy_set_comes_into_force_with_what_both_officers_signed() {
    let world = World::founded();
    assert_eq!(red(&world), Verdict::Permit);
    let mut evidence = honest(&world);
    evidence.proof = proved();
    assert_eq!(evidence.replay.summary.flips, 1, "{evidence}");
    let change = change(&evidence);
    let proposal = propose(&world, &change).expect("proposed");
    assert_eq!(red(&world), Verdict::Permit, "proposed is not in force");
    // What the second officer reads names the flip, in words.
    let shown = Evidence::read(proposal.evidence.as_deref().expect("evidence"))
        .expect("readable")
        .to_string();
    assert!(shown.contains("1 would come out differently"), "{shown}");
    assert!(
        shown.contains("cert-eu to csirt-alpha | permit -> review L01"),
        "{shown}"
    );
    assert!(shown.contains("proved    clearance"), "{shown}");

    // Signed without the evidence, or with another: no signature.
    let bare = Change::new(change.rule.clone(), &change.why);
    let mut other = evidence.clone();
    other.proof = Proof::NoSolver {
        why: "no".to_owned(),
    };
    for wrong in [bare, self::change(&other)] {
        assert_eq!(
            refusal(approve(&world, &proposal, &wrong)).0,
            RefusalKind::Denied
        );
    }
    let agreed = approve(&world, &proposal, &change).expect("approved");
    assert_eq!(agreed.state, ProposalState::InForce);
    assert_eq!(red(&world), Verdict::Review);

    // The log has the set, what was before, the evidence, and what was proved.
    let activated = world
        .records()
        .into_iter()
        .rfind(|event| event.kind == EventKind::PolicyActivated)
        .expect("recorded");
    let told = |key| {
        activated
            .details
            .get(key)
            .and_then(|it| it.as_text())
            .map(str::to_owned)
    };
    assert_eq!(told(Key::Digest), Some(evidence.policy.clone()));
    assert_eq!(told(Key::Previous), Some(evidence.running.clone()));
    assert_eq!(told(Key::Evidence), change.evidence_digest());
    assert!(
        told(Key::Proved)
            .expect("words")
            .contains("claims proved by cvc5 1.4.2")
    );
    // Each decision records the hash of its set.
    let row = world
        .gateway
        .ledger
        .in_state(chancery_pipeline::rows::DeliveryState::Held, 10)
        .expect("held");
    let past = history::decisions(&world.gateway, None, None, 10).expect("decisions");
    assert_eq!(row.len(), 1);
    let by_new = past
        .decisions
        .iter()
        .filter(|one| one.policy == evidence.policy);
    assert_eq!(by_new.count(), 1);
    // And the ledger keeps reason and evidence with the signatures.
    let book = book(&world);
    let version = book
        .text(DocumentKind::Policy, "policies")
        .expect("in force");
    assert_eq!(version.evidence, change.evidence);
    assert_eq!(version.why.as_deref(), Some("RED is looked at"));
    assert_eq!(version.approvals.len(), 2);
}

/// Changes evidence.
type Touch = Box<dyn Fn(&mut Evidence)>;

#[test]
fn evidence_that_does_not_fit_is_refused_with_one_record() {
    let world = World::founded();
    red(&world);
    let sound = honest(&world);
    let other = "00".repeat(32);
    let claim = |name: &'static str, answer: ClaimAnswer| -> Touch {
        Box::new(move |it: &mut Evidence| {
            it.proof = proved();
            if let Proof::Answered { claims, .. } = &mut it.proof {
                for one in claims.iter_mut().filter(|one| one.name == name) {
                    one.answer = answer.clone();
                }
            }
        })
    };
    let touched = |touch: fn(&mut Evidence)| -> Touch { Box::new(touch) };
    let hash = |touch: fn(&mut Evidence, String)| -> Touch {
        let other = other.clone();
        Box::new(move |it: &mut Evidence| touch(it, other.clone()))
    };
    let cases: Vec<(&str, Touch)> = vec![
        ("another policy set", hash(|it, other| it.policy = other)),
        ("another set in force", hash(|it, other| it.running = other)),
        (
            "another state of directory and agreements",
            hash(|it, other| it.agreements = other),
        ),
        (
            "expected permit, found review L01",
            touched(|it| {
                let wrong = CASES.replace(
                    "verdict = \"review\"\ngates = [\"L01\"]",
                    "verdict = \"permit\"",
                );
                it.cases.files.insert("95-red.cases.toml".to_owned(), wrong);
            }),
        ),
        (
            "has no case for L01",
            touched(|it| {
                it.cases.files.remove("95-red.cases.toml");
            }),
        ),
        ("the number of cases", touched(|it| it.cases.held += 1)),
        (
            "there is no case in it",
            touched(|it| {
                it.cases
                    .files
                    .insert("96-none.cases.toml".to_owned(), String::new());
            }),
        ),
        // A flip that is hidden, one more decision than there is, another history.
        (
            "comes out differently",
            touched(|it| {
                it.replay.summary.flips = 0;
                it.replay.flips.clear();
            }),
        ),
        (
            "the replay's list of flips",
            touched(|it| it.replay.flips.clear()),
        ),
        (
            "comes out differently",
            touched(|it| {
                it.replay.read += 1;
                it.replay.summary.decisions += 1;
            }),
        ),
        (
            "comes out differently",
            hash(|it, other| it.replay.summary.digest = other),
        ),
        (
            "comes out differently",
            touched(|it| {
                it.replay = Replayed {
                    since: None,
                    read: 0,
                    summary: Summary {
                        digest: it.replay.summary.digest.clone(),
                        ..Summary::default()
                    },
                    flips: Vec::new(),
                };
            }),
        ),
        (
            "refutes clearance",
            claim("clearance", ClaimAnswer::Refuted("one".to_owned())),
        ),
        (
            "refutes rules-never-fail",
            claim("rules-never-fail", ClaimAnswer::Refuted("one".to_owned())),
        ),
        (
            "clearance is missing",
            touched(|it| {
                it.proof = proved();
                if let Proof::Answered { claims, .. } = &mut it.proof {
                    claims.retain(|one| one.name != "clearance");
                }
            }),
        ),
        (
            "stands there twice",
            touched(|it| {
                it.proof = proved();
                if let Proof::Answered { claims, .. } = &mut it.proof {
                    let again = claims[0].clone();
                    claims.push(again);
                }
            }),
        ),
        (
            "says something else",
            touched(|it| {
                it.proof = proved();
                if let Proof::Answered { claims, .. } = &mut it.proof {
                    claims[0].says = "nothing of importance".to_owned();
                }
            }),
        ),
        (
            "comes out differently",
            touched(|it| it.replay.flips[0].new = "permit".to_owned()),
        ),
        (
            "no solver is named",
            touched(|it| {
                it.proof = proved();
                if let Proof::Answered { solver, .. } = &mut it.proof {
                    solver.clear();
                }
            }),
        ),
        (
            "another text of the invariants",
            touched(|it| {
                it.proof = proved();
                if let Proof::Answered { invariants, .. } = &mut it.proof {
                    *invariants = invariants_digest("none");
                }
            }),
        ),
        (
            "its form is not",
            touched(|it| it.form = "chancery-evidence-v0".to_owned()),
        ),
    ];
    let epoch = world.gateway.rules().epoch();
    for (wanted, touch) in &cases {
        let mut evidence = sound.clone();
        touch(&mut evidence);
        refused(&world, &change(&evidence), wanted);
    }
    // None at all, one that is spelt otherwise, one that is no evidence, beside an MoU.
    let good = change(&sound);
    let spaced = Change {
        evidence: good
            .evidence
            .as_ref()
            .map(|text| text.replacen(':', ": ", 1)),
        ..good.clone()
    };
    let unknown = Change {
        evidence: good
            .evidence
            .as_ref()
            .map(|text| text.replacen("\"no-solver\"", "\"unknown\"", 1)),
        ..good.clone()
    };
    let none = Change {
        evidence: None,
        ..good.clone()
    };
    refused(&world, &none, "with its evidence");
    refused(&world, &spaced, "not written canonically");
    refused(&world, &unknown, "cannot be read");
    let (participants, _) = world.gateway.rules().directory().to_toml().expect("text");
    let beside = Change {
        rule: RuleText::participants(format!("{participants}\n")),
        ..good.clone()
    };
    refused(&world, &beside, "only a policy set has evidence");
    assert_eq!(
        world.gateway.rules().epoch(),
        epoch,
        "what is in force stays"
    );
    propose(&world, &good).expect("and the honest one is proposed");
}

fn refused(world: &World, change: &Change, wanted: &str) {
    let before = world.count(EventKind::RulesRejected);
    let (_, why) = refusal(propose(world, change));
    assert!(why.contains(wanted), "{wanted}: {why}");
    assert_eq!(
        world.count(EventKind::RulesRejected),
        before + 1,
        "{wanted}"
    );
    assert!(
        rulebook::open_proposals(&world.gateway)
            .expect("proposals")
            .is_empty(),
        "{wanted}"
    );
}

#[test]
fn a_wider_set_is_for_two_officers_who_see_that_it_is() {
    let world = World::founded();
    let mut evidence = honest(&world);
    evidence.proof = proved();
    if let Proof::Answered { claims, .. } = &mut evidence.proof {
        for one in claims
            .iter_mut()
            .filter(|one| one.name == "not-wider-reviews")
        {
            one.answer = ClaimAnswer::Refuted("a message NC TLP:RED".to_owned());
        }
    }
    let proposal = propose(&world, &change(&evidence)).expect("proposed");
    let shown = Evidence::read(proposal.evidence.as_deref().expect("evidence")).expect("readable");
    assert!(
        shown.to_string().contains("WIDER     not-wider-reviews"),
        "{shown}"
    );
    assert!(shown.proof_in_words().contains("releases more than before"));
    let unproved = honest(&world).to_string();
    assert!(unproved.contains("NOT PROVED: no solver"), "{unproved}");
}

#[test]
fn what_changed_since_the_evidence_was_made_is_looked_at_anew() {
    let world = World::founded();
    let change = change(&honest(&world));
    let proposal = propose(&world, &change).expect("proposed");
    // The agreements under which it was proved are others now.
    let text = shipped::MOUS[0].1.replace("2024", "2025");
    assert_ne!(text, shipped::MOUS[0].1);
    let rule = RuleText::mou(shipped::MOUS[0].0, text).expect("an MoU");
    let mou = Change::new(rule, "shorter");
    let other = propose(&world, &mou).expect("proposed");
    approve(&world, &other, &mou).expect("approved");
    let (kind, why) = refusal(approve(&world, &proposal, &change));
    assert_eq!(kind, RefusalKind::NotNow);
    assert!(
        why.contains("another state of directory and agreements"),
        "{why}"
    );
}

#[test]
fn a_folder_of_rules_alone_changes_no_policy_set() {
    let world = World::founded();
    let keeper = rulebook::Keeper {
        ledger: world.gateway.ledger.as_ref(),
        row_key: &world.gateway.row_key,
        node: "test",
        now: world.gateway.now(),
    };
    let rule = RuleText::policies(&proposed());
    let signatures: Vec<_> = ["dimitri", "elena"]
        .map(|officer| world.sign(officer, rule.operation(), rule.digest(), Vote::Approve))
        .to_vec();
    let offered = rulebook::Candidate {
        place: "policies".to_owned(),
        rule,
        signatures: Some(serde_json::to_string(&signatures).expect("json")),
    };
    let hash = world.gateway.rules().engine().policy_hash();
    let (rules, left) = keeper.take_in(&[offered], None).expect("the rest stays");
    assert_eq!(rules.engine().policy_hash(), hash);
    assert!(left[0].why.contains("with its evidence"), "{left:?}");
    assert_eq!(world.count(EventKind::AlarmRaised), 1);
}

/// Removes the newest version of a rule, as whoever owns the file can.
const CUT: &str =
    "DROP TRIGGER document_delete; DELETE FROM document WHERE id = (SELECT max(id) FROM document);";

/// Statements past the gateway.
fn database(world: &World, statements: &str) {
    let program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let done = std::process::Command::new("python3")
        .args(["-c", program])
        .arg(&world.database)
        .arg(statements)
        .output()
        .expect("python3");
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn an_old_copy_of_the_rules_is_not_taken_for_the_rules() {
    let world = World::founded();
    let ledger = world.gateway.ledger.as_ref();
    book(&world)
        .complete(ledger)
        .expect("whole after the founding");
    let rule = RuleText::mou(
        shipped::MOUS[0].0,
        shipped::MOUS[0].1.replace("2024", "2025"),
    )
    .expect("an MoU");
    let change = Change::new(rule, "shorter");
    let proposal = propose(&world, &change).expect("proposed");
    book(&world)
        .complete(ledger)
        .expect("whole while a proposal waits");
    approve(&world, &proposal, &change).expect("approved");
    red(&world);
    book(&world).complete(ledger).expect("whole after a change");
    // The newest versions are cut off.
    database(&world, CUT);
    match book(&world).complete(ledger) {
        Err(error @ BookError::Incomplete { .. }) => {
            assert!(error.to_string().contains("restore a backup"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_copy_of_the_rules_with_its_epoch_is_behind_the_log() {
    let world = World::founded();
    red(&world);
    book(&world)
        .complete(world.gateway.ledger.as_ref())
        .expect("whole");
    let before = world.gateway.ledger.epoch().expect("the epoch");
    // The table and its epoch put back together; the log goes on.
    database(
        &world,
        &format!("{CUT} UPDATE epoch SET value = value - 1;"),
    );
    let World {
        gateway, database, ..
    } = world;
    drop(gateway);
    let again = Store::open_sqlite(
        &database,
        &"chancery/test".parse().expect("a log"),
        &StoreConfig::default(),
    )
    .expect("opens");
    let found = Book::read(&again, &RowKey::new([7; 32])).expect("the book");
    match found.complete(&again) {
        Err(BookError::Behind { epoch, log }) => assert_eq!((epoch, log), (before - 1, before)),
        other => panic!("{other:?}"),
    }
}
