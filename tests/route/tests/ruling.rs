//! What widens needs two people's signatures; what narrows needs one, at once.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::sync::Arc;

use chancery_audit::{EventKind, Key};
use chancery_label::Level;
use chancery_message::Channel;
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{RefusalKind, Verdict};
use chancery_pipeline::rows::{DeliveryState, DocumentKind};
use chancery_pipeline::rulebook::{
    self, Book, BookError, Candidate, Change, Keeper, Proposal, ProposalState, RuleText, Subject,
    Suspended,
};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::directory::{Directory, Role};
use chancery_route::{World, message, refusal};

const DEFENCE: &str = r#"
id = "mou-def-le"
title = "EU Military Staff and Europol on hybrid threats"
state = "agreed"
valid_from = 2026-01-01
valid_until = 2027-12-31
parties = ["eu-military-staff", "europol-ec3"]
communities = ["defence", "law-enforcement"]
ceiling = "R-UE"
purposes = ["cyber-crisis", "cyber-defence"]
compartments = ["eums", "europol"]

[[article]]
number = "3(1)"
says = "no personal data for cyber defence"
purposes = ["cyber-defence"]
no_personal_data = true

[[article]]
number = "4"
says = "nothing to Europol in a crisis but by its own channel"
purposes = ["cyber-crisis"]
recipients = ["europol-ec3"]
forbidden = true
"#;

fn mou(text: &str) -> RuleText {
    RuleText::mou("defence-law-enforcement.toml", text.to_owned()).expect("an MoU")
}

fn signed(world: &World, officer: &str, rule: &RuleText) -> Signed {
    world.sign(officer, rule.operation(), rule.digest(), Vote::Approve)
}

/// A signature over a change with its reason.
fn agreed(world: &World, officer: &str, rule: &RuleText, why: &str, vote: Vote) -> Signed {
    let change = Change::new(rule.clone(), why);
    world.sign(officer, rule.operation(), change.digest(), vote)
}

fn propose(world: &World, officer: &str, rule: &RuleText) -> Result<Proposal, StageError> {
    rulebook::propose(
        &world.gateway,
        &Change::new(rule.clone(), "for the test"),
        &agreed(world, officer, rule, "for the test", Vote::Approve),
    )
}

fn approve(
    world: &World,
    officer: &str,
    proposal: &Proposal,
    rule: &RuleText,
) -> Result<Proposal, StageError> {
    let signed = agreed(world, officer, rule, "for the test", Vote::Approve);
    rulebook::approve(&world.gateway, &proposal.id, &signed)
}

fn suspend(world: &World, subject: &str) -> Suspended {
    let subject: Subject = subject.parse().expect("a subject");
    let order = world.sign("dimitri", "rules.suspend", [0; 32], Vote::Approve);
    rulebook::suspend(
        &world.gateway,
        &subject,
        "for the test",
        &"dimitri".parse().expect("id"),
        &order,
    )
    .expect("suspended")
}

fn crosses(world: &World) -> Verdict {
    let mut submission = message(&["europol-ec3"], Level::Restricted);
    submission.purpose = Some(chancery_message::Purpose::CyberDefence);
    match world.submit("eu-military-staff", Channel::Rest, submission) {
        Ok(chancery_pipeline::outcome::Outcome::Accepted(verdicts)) => {
            verdicts.recipients[0].verdict
        }
        // Before the MoU the one does not even know of the other.
        Ok(_) | Err(_) => Verdict::Deny,
    }
}

#[test]
fn an_mou_rules_when_a_second_officer_has_signed_it() {
    let world = World::founded();
    assert_eq!(crosses(&world), Verdict::Deny);
    let rule = mou(DEFENCE);
    let proposal = propose(&world, "dimitri", &rule).expect("proposed");
    assert_eq!(crosses(&world), Verdict::Deny, "proposed is not agreed");

    // Not the same person, not somebody without the role, not another text.
    let (kind, why) = refusal(approve(&world, "dimitri", &proposal, &rule));
    assert_eq!(kind, RefusalKind::Denied, "{why}");
    assert_eq!(
        refusal(approve(&world, "anna", &proposal, &rule)).0,
        RefusalKind::Denied
    );
    let other = mou(&DEFENCE.replace("R-UE", "S-UE"));
    assert_eq!(
        refusal(rulebook::approve(
            &world.gateway,
            &proposal.id,
            &agreed(&world, "elena", &other, "for the test", Vote::Approve)
        ))
        .0,
        RefusalKind::Denied
    );
    assert_eq!(crosses(&world), Verdict::Deny);

    let before = world.gateway.rules().epoch();
    let agreed = approve(&world, "elena", &proposal, &rule).expect("approved");
    assert_eq!(agreed.state, ProposalState::InForce);
    assert!(world.gateway.rules().epoch() > before, "the epoch rises");
    assert_eq!(crosses(&world), Verdict::Permit);
    // The record of the release cites the MoU with its articles, and the report shows its flows.
    let cited = world.records().iter().any(|event| {
        event.kind == EventKind::ReleasePermitted
            && event.details.get(Key::Mou).and_then(|it| it.as_text()) == Some("mou-def-le")
            && event.details.get(Key::Articles).and_then(|it| it.as_list())
                == Some(&["mou-def-le 3(1)".to_owned()][..])
    });
    assert!(cited);
    // And of a refusal the article that stands against it.
    let mut crisis = message(&["europol-ec3"], Level::Restricted);
    crisis.purpose = Some(chancery_message::Purpose::CyberCrisis);
    let refused = world.accepted("eu-military-staff", Channel::Rest, crisis);
    assert_eq!(refused.recipients[0].verdict, Verdict::Deny);
    let cited = world.records().iter().any(|event| {
        event.kind == EventKind::ReleaseRefused
            && event.details.get(Key::Articles).and_then(|it| it.as_list())
                == Some(&["mou-def-le 4".to_owned()][..])
    });
    assert!(cited);
    let flows = rulebook::report(&world.gateway, Some(&"mou-def-le".parse().expect("id")))
        .expect("a report");
    let flow = &flows[0].flows[0];
    assert_eq!(
        (flow.from.as_str(), flow.to.as_str(), flow.counts.permitted),
        ("eu-military-staff", "europol-ec3", 1)
    );
    // It stays in force when the node starts again: the ledger holds it with its signatures.
    let book = Book::read(world.gateway.ledger.as_ref(), &world.gateway.row_key).expect("the book");
    let version = book
        .text(DocumentKind::Mou, "mou-def-le")
        .expect("in force");
    assert_eq!(version.approvals.len(), 2);
    // Used once: the same approval again does nothing.
    assert_eq!(
        refusal(approve(&world, "elena", &proposal, &rule)).0,
        RefusalKind::NotFound
    );
}

#[test]
fn the_reason_is_signed_with_the_text() {
    let world = World::founded();
    let rule = mou(DEFENCE);
    // Proposed with one reason, signed with another: by the proposer, by the second officer.
    let other = agreed(&world, "dimitri", &rule, "something else", Vote::Approve);
    let change = Change::new(rule.clone(), "for the test");
    assert_eq!(
        refusal(rulebook::propose(&world.gateway, &change, &other)).0,
        RefusalKind::Denied
    );
    let proposal = propose(&world, "dimitri", &rule).expect("proposed");
    for signature in [
        agreed(&world, "elena", &rule, "something else", Vote::Approve),
        // Over the text alone, as it is signed for a file.
        signed(&world, "elena", &rule),
    ] {
        let (kind, why) = refusal(rulebook::approve(&world.gateway, &proposal.id, &signature));
        assert_eq!(kind, RefusalKind::Denied);
        assert!(why.contains("what was approved has changed"), "{why}");
    }
    assert_eq!(crosses(&world), Verdict::Deny);
    approve(&world, "elena", &proposal, &rule).expect("approved");
    let told = world.records().iter().any(|event| {
        event.kind == EventKind::MouChanged
            && event.details.get(Key::Reason).and_then(|it| it.as_text()) == Some("for the test")
    });
    assert!(told, "the reason is in the record");
}

#[test]
fn one_officer_refuses_a_proposal_for_good() {
    let world = World::founded();
    let rule = mou(DEFENCE);
    let proposal = propose(&world, "dimitri", &rule).expect("proposed");
    let against = agreed(&world, "elena", &rule, "for the test", Vote::Refuse);
    let after = rulebook::approve(&world.gateway, &proposal.id, &against).expect("refused");
    assert_eq!(after.state, ProposalState::Refused);
    assert!(
        rulebook::open_proposals(&world.gateway)
            .expect("list")
            .is_empty()
    );
    assert_eq!(crosses(&world), Verdict::Deny);
}

#[test]
fn a_bad_mou_is_refused_with_its_reason_and_what_rules_stays() {
    let world = World::founded();
    let epoch = world.gateway.rules().epoch();
    let unknown = mou(&DEFENCE.replace("eu-military-staff", "nobody-known"));
    let (kind, why) = refusal(propose(&world, "dimitri", &unknown));
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(
        why.contains("mou-def-le.toml:7: `nobody-known` is not a participant"),
        "{why}"
    );
    let reversed = mou(&DEFENCE.replace("valid_until = 2027-12-31", "valid_until = 2025-12-31"));
    let (kind, why) = refusal(propose(&world, "dimitri", &reversed));
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(
        why.contains("mou-def-le.toml:6: valid_until is before valid_from"),
        "{why}"
    );
    let unread = RuleText::mou("x.toml", format!("{DEFENCE}\nsurprise = 1\n"));
    let why = unread.expect_err("refused").to_string();
    assert!(why.contains("x.toml:"), "with its line: {why}");
    assert_eq!(world.gateway.rules().epoch(), epoch);
    assert_eq!(world.count(EventKind::RulesRejected), 2);
}

/// The participants' text with one of them cleared higher.
fn widened(world: &World) -> RuleText {
    let rules = world.gateway.rules();
    let mut people = rules.directory().participants().to_vec();
    for one in people
        .iter_mut()
        .filter(|one| one.id.as_str() == "csirt-alpha")
    {
        one.clearance = Some(chancery_policy::directory::Clearance {
            level: Level::Secret,
            until: "2030-12-31".parse().expect("a day"),
        });
    }
    let changed = Directory::new(0, people, rules.directory().officers().to_vec()).expect("whole");
    RuleText::participants(changed.to_toml().expect("text").0)
}

#[test]
fn overlapping_versions_of_a_participant_are_refused() {
    let world = World::founded();
    let rules = world.gateway.rules();
    let mut people = rules.directory().participants().to_vec();
    people.push(people[0].clone());
    #[derive(serde::Serialize)]
    struct All {
        participant: Vec<chancery_policy::directory::Participant>,
    }
    let text = toml::to_string(&All {
        participant: people,
    })
    .expect("text");
    let (kind, why) = refusal(propose(&world, "dimitri", &RuleText::participants(text)));
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(why.contains("in force on the same day"), "{why}");
    assert!(why.contains("participants.toml:"), "with its line: {why}");
}

#[test]
fn a_clearance_that_has_ended_is_not_entered() {
    let world = World::founded();
    let rules = world.gateway.rules();
    let mut people = rules.directory().participants().to_vec();
    for one in people
        .iter_mut()
        .filter(|one| one.id.as_str() == "csirt-alpha")
    {
        one.clearance = Some(chancery_policy::directory::Clearance {
            level: Level::Secret,
            until: "2026-11-21".parse().expect("a day"),
        });
    }
    let changed = Directory::new(0, people, rules.directory().officers().to_vec()).expect("whole");
    let text = changed.to_toml().expect("text").0;
    let line = 1 + text
        .lines()
        .position(|line| line.starts_with("until") && line.contains("2026-11-21"))
        .expect("the line");
    let epoch = rules.epoch();
    let (kind, why) = refusal(propose(&world, "dimitri", &RuleText::participants(text)));
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(
        why.contains("participant csirt-alpha: clearance: it ended on 2026-11-21"),
        "{why}"
    );
    // The line is that of the clearance's table.
    let named: usize = why
        .split(':')
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a line");
    assert!(named < line && line - named <= 3, "{why}: near {line}");
    assert_eq!(
        world.gateway.rules().epoch(),
        epoch,
        "what is in force stays"
    );
    assert_eq!(world.count(EventKind::RulesRejected), 1);
    // One that ends today counts today.
    let widened = widened(&world);
    propose(&world, "dimitri", &widened).expect("proposed");
}

#[test]
fn whoever_owns_the_folder_alone_widens_nothing() {
    let world = World::founded();
    let keeper = |now| Keeper {
        ledger: world.gateway.ledger.as_ref(),
        row_key: &world.gateway.row_key,
        node: "test",
        now,
    };
    let rule = widened(&world);
    let offered = |signatures: Option<Vec<Signed>>| Candidate {
        place: "participants.toml".to_owned(),
        rule: rule.clone(),
        signatures: signatures.map(|all| serde_json::to_string(&all).expect("json")),
    };
    let now = world.gateway.now();
    let engine = Arc::clone(world.gateway.rules().shared_engine());
    let takes = |candidate: Candidate| {
        let (rules, left) = keeper(now)
            .take_in(&[candidate], Some(&engine))
            .expect("the rest stays whole");
        let cleared = rules
            .directory()
            .at(now)
            .by_id(&"csirt-alpha".parse().expect("id"))
            .expect("there")
            .clearance_at(now);
        (cleared == Level::Secret, left)
    };
    let one = signed(&world, "dimitri", &rule);
    let twice = signed(&world, "dimitri", &rule);
    let wrong_role = signed(&world, "anna", &rule);
    let mut forged = signed(&world, "elena", &rule);
    forged.record.nonce[0] ^= 1;
    let other_node = {
        let mut record = signed(&world, "elena", &rule).record;
        record.node = "elsewhere".to_owned();
        record
            .sign("elena".parse().expect("id"), &world.officers["elena"])
            .expect("signed")
    };
    for signatures in [
        None,
        Some(vec![]),
        Some(vec![one.clone()]),
        Some(vec![one.clone(), twice]),
        Some(vec![one.clone(), wrong_role]),
        Some(vec![one.clone(), forged]),
        Some(vec![one.clone(), other_node]),
    ] {
        let alarms = world.count(EventKind::AlarmRaised);
        let (taken, left) = takes(offered(signatures));
        assert!(!taken, "what is in force stays");
        assert_eq!(left.len(), 1, "and it is told: {left:?}");
        assert_eq!(world.count(EventKind::AlarmRaised), alarms + 1);
    }
    let both = vec![one, signed(&world, "elena", &rule)];
    let (taken, left) = takes(offered(Some(both.clone())));
    assert!(taken && left.is_empty(), "{left:?}");
    // The change is told by its entry.
    let told = world.records().iter().any(|event| {
        event.kind == EventKind::DirectoryChanged
            && event
                .details
                .get(Key::Participant)
                .and_then(|it| it.as_text())
                == Some("csirt-alpha")
    });
    assert!(told);
}

#[test]
fn a_founding_without_signatures_is_no_founding() {
    let world = World::new();
    let rules = world.gateway.rules();
    let (participants, officers) = rules.directory().to_toml().expect("text");
    let keeper = Keeper {
        ledger: world.gateway.ledger.as_ref(),
        row_key: &world.gateway.row_key,
        node: "test",
        now: world.gateway.now(),
    };
    let all: Vec<Candidate> = [
        RuleText::participants(participants),
        RuleText::officers(officers),
        RuleText::policies(&chancery_policy::PolicyTexts::shipped()),
    ]
    .into_iter()
    .map(|rule| Candidate {
        place: rule.key.clone(),
        rule,
        signatures: None,
    })
    .collect();
    match keeper.take_in(&all, None) {
        Err(BookError::Signatures { place, .. }) => assert_eq!(place, "participants"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn suspending_stops_what_waits_and_lifting_it_needs_two() {
    let world = World::founded();
    let rule = mou(DEFENCE);
    let proposal = propose(&world, "dimitri", &rule).expect("proposed");
    approve(&world, "elena", &proposal, &rule).expect("approved");
    assert_eq!(crosses(&world), Verdict::Permit);
    let waiting = world
        .gateway
        .ledger
        .in_state(DeliveryState::Queued, 10)
        .expect("queued");
    assert_eq!(waiting.len(), 1);

    let report = suspend(&world, "mou/mou-def-le");
    assert!(report.closed && report.under_way.is_empty(), "{report:?}");
    assert_eq!(report.waiting, 1, "{report:?}");
    assert_eq!(crosses(&world), Verdict::Deny);
    // What waited is decided again, and does not go.
    assert_eq!(refusal(world.fetch(&waiting[0])).0, RefusalKind::Denied);
    assert_eq!(world.count(EventKind::ReleaseOpened), 0);

    let lift = RuleText::resume(&"mou/mou-def-le".parse().expect("subject"), "settled");
    let proposal = propose(&world, "dimitri", &lift).expect("proposed");
    assert_eq!(crosses(&world), Verdict::Deny, "one officer lifts nothing");
    approve(&world, "elena", &proposal, &lift).expect("approved");
    assert_eq!(crosses(&world), Verdict::Permit);
}

#[test]
fn suspending_waits_for_what_is_under_way_and_says_what_is_gone() {
    let world = Arc::new(World::founded());
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let row = world.deliveries(&verdicts)[0].clone();
    // Opened, and a part of it is with the peer already.
    let released = world.fetch(&row).expect("released");
    released.way.gave(65_536);
    let other = Arc::clone(&world);
    let officer = std::thread::spawn(move || suspend(&other, "participant/csirt-alpha"));
    // What streams looks before each segment.
    while !released.way.must_stop() {
        std::thread::yield_now();
    }
    assert!(!officer.is_finished(), "it waits until the bytes stop");
    drop(released);
    let report = officer.join().expect("the officer");
    assert!(report.closed, "{report:?}");
    assert_eq!(report.under_way.len(), 1);
    let one = &report.under_way[0];
    assert_eq!((one.outcome, one.gone), ("cut off", Some(65_536)));
    assert_eq!(one.recipient, "csirt-alpha");
    assert_eq!(world.count(EventKind::PermitsClosed), 1);
    assert_eq!(refusal(world.fetch(&row)).0, RefusalKind::Denied);
}

#[test]
fn a_suspended_officer_signs_nothing_any_more() {
    let world = World::founded();
    let rule = mou(DEFENCE);
    let proposal = propose(&world, "elena", &rule).expect("proposed");
    suspend(&world, "officer/elena");
    // Neither new signatures nor the one that waits.
    assert_eq!(
        refusal(propose(
            &world,
            "elena",
            &mou(&DEFENCE.replace("R-UE", "NC"))
        ))
        .0,
        RefusalKind::Denied
    );
    assert_eq!(
        refusal(approve(&world, "dimitri", &proposal, &rule)).0,
        RefusalKind::Denied
    );
}

#[test]
fn officers_roles_change_by_two_signatures_too() {
    let world = World::founded();
    let rules = world.gateway.rules();
    let mut officers = rules.directory().officers().to_vec();
    for one in officers.iter_mut().filter(|one| one.id.as_str() == "anna") {
        one.roles.insert(Role::Security);
    }
    let changed =
        Directory::new(0, rules.directory().participants().to_vec(), officers).expect("whole");
    let rule = RuleText::officers(changed.to_toml().expect("text").1);
    // Not by her own signature.
    assert_eq!(
        refusal(propose(&world, "anna", &rule)).0,
        RefusalKind::Denied
    );
    let proposal = propose(&world, "dimitri", &rule).expect("proposed");
    approve(&world, "elena", &proposal, &rule).expect("approved");
    let now = world.gateway.now();
    let rules = world.gateway.rules();
    let anna = rules
        .directory()
        .at(now)
        .officer(&"anna".parse().expect("id"))
        .expect("in office")
        .clone();
    assert!(anna.roles.contains(&Role::Security));
}

#[test]
fn a_proposal_over_an_older_text_is_made_again() {
    let world = World::founded();
    let first = widened(&world);
    let stale = RuleText::participants(format!("{}\n# another\n", first.text));
    let old = propose(&world, "dimitri", &stale).expect("proposed");
    let new = propose(&world, "dimitri", &first).expect("proposed");
    approve(&world, "elena", &new, &first).expect("approved");
    assert_eq!(
        refusal(approve(&world, "elena", &old, &stale)).0,
        RefusalKind::NotNow
    );
}
