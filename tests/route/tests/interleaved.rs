//! Orders that meet: what one officer decides while another's order is worked on
//! is never undone by it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests: what fails fails the test"
)]

use std::sync::Arc;

use chancery_audit::EventKind;
use chancery_pipeline::outcome::RefusalKind;
use chancery_pipeline::rulebook::{self, Book, Change, Keeper, Proposal, RuleText, Subject};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::shipped;
use chancery_route::{World, refusal};

const ALPHA: &str = "participant/csirt-alpha";

fn change() -> Change {
    let text = shipped::MOUS[0].1.replace("2024", "2025");
    assert_ne!(text, shipped::MOUS[0].1);
    let rule = RuleText::mou(shipped::MOUS[0].0, text).expect("an MoU");
    Change::new(rule, "shorter")
}

fn signed(world: &World, officer: &str, vote: Vote) -> Signed {
    let change = change();
    world.sign(officer, change.rule.operation(), change.digest(), vote)
}

fn propose(world: &World) -> Proposal {
    let signed = signed(world, "dimitri", Vote::Approve);
    rulebook::propose(&world.gateway, &change(), &signed).expect("proposed")
}

fn suspend(world: &World) {
    let subject: Subject = ALPHA.parse().expect("a subject");
    let order = world.sign("elena", "rules.suspend", [0; 32], Vote::Approve);
    let officer = "elena".parse().expect("id");
    rulebook::suspend(&world.gateway, &subject, "a test", &officer, &order).expect("suspended");
}

fn book(world: &World) -> Book {
    Book::read(world.gateway.ledger.as_ref(), &world.gateway.row_key).expect("the book")
}

/// The suspension is in force, here and in the ledger.
fn assert_suspended(world: &World, when: usize) {
    let rules = world.gateway.rules();
    let alpha = rules
        .directory()
        .participants()
        .iter()
        .find(|one| one.id.as_str() == "csirt-alpha")
        .expect("there");
    assert!(alpha.suspended, "interrupted at {when}");
    let book = book(world);
    assert!(book.suspended().contains(&ALPHA.parse().expect("subject")));
    let epoch = world.gateway.ledger.epoch().expect("the epoch");
    assert_eq!((rules.epoch(), book.epoch()), (epoch, epoch), "{when}");
}

/// Runs an order again and again, each time with the suspension one question for
/// the time later. It succeeds, or says that the rules changed and does nothing.
fn interrupted(
    prepare: impl Fn(&World) -> Option<Proposal>,
    vote: Vote,
    order: impl Fn(
        &World,
        Option<&Proposal>,
        &Signed,
    ) -> Result<Proposal, chancery_pipeline::gateway::StageError>,
) {
    let mut outdated = 0;
    for when in 0.. {
        let world = Arc::new(World::founded());
        let before = prepare(&world);
        let officer = if before.is_some() { "elena" } else { "dimitri" };
        let signed = signed(&world, officer, vote);
        let other = Arc::clone(&world);
        world
            .clock
            .interrupt(when, Box::new(move || suspend(&other)));
        let done = order(&world, before.as_ref(), &signed);
        if world.clock.uninterrupted() {
            done.expect("nobody interrupts it any more");
            assert!(when > 1, "the time was asked for less than twice");
            break;
        }
        assert_suspended(&world, when);
        if done.is_err() {
            outdated += 1;
            let (kind, why) = refusal(done);
            assert_eq!(kind, RefusalKind::NotNow, "{why}");
            assert!(why.contains("the rules changed meanwhile"), "{why}");
            assert_eq!(world.count(EventKind::RulesRejected), 1);
            let open = rulebook::open_proposals(&world.gateway).expect("proposals");
            assert_eq!(open.first(), before.as_ref(), "nothing changed");
            // Once more, over the rules as they are now.
            order(&world, before.as_ref(), &signed).expect("again");
            assert_suspended(&world, when);
        }
    }
    assert!(outdated > 0, "no interruption came after the book was read");
}

#[test]
fn a_suspension_while_somebody_proposes_stays() {
    interrupted(
        |_| None,
        Vote::Approve,
        |world, _, signed| rulebook::propose(&world.gateway, &change(), signed),
    );
}

#[test]
fn a_suspension_while_somebody_approves_or_refuses_stays() {
    for vote in [Vote::Approve, Vote::Refuse] {
        interrupted(
            |world| Some(propose(world)),
            vote,
            |world, before, signed| {
                let id = &before.expect("a proposal").id;
                rulebook::approve(&world.gateway, id, signed)
            },
        );
    }
}

#[test]
fn suspending_never_fails_because_somebody_else_proposed() {
    for when in 0..3 {
        let world = Arc::new(World::founded());
        let proposal = propose(&world);
        let approval = signed(&world, "elena", Vote::Approve);
        let subject: Subject = ALPHA.parse().expect("a subject");
        let order = world.sign("elena", "rules.suspend", [0; 32], Vote::Approve);
        let other = Arc::clone(&world);
        world.clock.interrupt(
            when,
            Box::new(move || {
                rulebook::approve(&other.gateway, &proposal.id, &approval).expect("approved");
            }),
        );
        let officer = "elena".parse().expect("id");
        rulebook::suspend(&world.gateway, &subject, "a test", &officer, &order).expect("suspended");
        assert!(!world.clock.uninterrupted(), "{when}");
        assert_suspended(&world, when);
        let open = rulebook::open_proposals(&world.gateway).expect("proposals");
        assert!(open.is_empty(), "the other change is in force too");
        assert_eq!(world.count(EventKind::ParticipantSuspended), 1);
    }
}

#[test]
fn rules_that_were_read_before_a_suspension_do_not_replace_it() {
    let world = World::founded();
    let read = || {
        let keeper = Keeper {
            ledger: world.gateway.ledger.as_ref(),
            row_key: &world.gateway.row_key,
            node: "test",
            now: world.gateway.now(),
        };
        keeper.take_in(&[], None).expect("nothing is offered").0
    };
    let old = read();
    suspend(&world);
    world.gateway.replace_rules(old);
    assert_suspended(&world, 0);
    // The same once more, read now, is no older.
    world.gateway.replace_rules(read());
    assert_suspended(&world, 0);
}
