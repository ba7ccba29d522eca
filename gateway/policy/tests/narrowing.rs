//! What protects more never releases more: properties over random facts.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod common;

use std::sync::OnceLock;

use chancery_label::{Caveat, HandlingCode, Level};
use chancery_policy::decision::Verdict;
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Consent, Facts, LabelState, MouState};
use common::random::{Random, facts};
use proptest::prelude::*;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::shipped().unwrap())
}

/// Labelled facts: a missing label stands alone and is no matter of more or less.
fn labelled() -> impl Strategy<Value = Facts> {
    (1..u64::MAX, any::<bool>()).prop_map(|(seed, near)| {
        let mut facts = Facts::from_json(&facts("P", &mut Random(seed), near)).unwrap();
        if facts.label_state == LabelState::Missing {
            facts.label_state = LabelState::Valid;
        }
        facts
    })
}

/// One change that protects more, or gives less.
#[derive(Clone, Copy, Debug)]
enum Narrower {
    Raise(Level),
    Accredit(Level),
    Approve(Level),
    Clear(Level),
    Ceiling(Level),
    Mou(MouState),
    Caveat(Caveat),
    Code(HandlingCode),
    Forget,
    NotGranted,
    Refused,
    NotOriginator,
    Unaddressed,
    Personal,
    Public,
    Invalid,
}

fn level() -> impl Strategy<Value = Level> {
    proptest::sample::select(Level::ALL.to_vec())
}

fn narrower() -> impl Strategy<Value = Narrower> {
    prop_oneof![
        level().prop_map(Narrower::Raise),
        level().prop_map(Narrower::Accredit),
        level().prop_map(Narrower::Approve),
        level().prop_map(Narrower::Clear),
        level().prop_map(Narrower::Ceiling),
        proptest::sample::select(MouState::ALL.to_vec()).prop_map(Narrower::Mou),
        proptest::sample::select(Caveat::ALL.to_vec()).prop_map(Narrower::Caveat),
        proptest::sample::select(HandlingCode::ALL.to_vec()).prop_map(Narrower::Code),
        Just(Narrower::Forget),
        Just(Narrower::NotGranted),
        Just(Narrower::Refused),
        Just(Narrower::NotOriginator),
        Just(Narrower::Unaddressed),
        Just(Narrower::Personal),
        Just(Narrower::Public),
        Just(Narrower::Invalid),
    ]
}

fn narrow(facts: &mut Facts, by: Narrower) {
    match by {
        Narrower::Raise(level) => facts.classification = facts.classification.max(level),
        Narrower::Accredit(level) => {
            facts.channel_accreditation = facts.channel_accreditation.min(level)
        }
        Narrower::Approve(level) => facts.crypto_approval = facts.crypto_approval.min(level),
        Narrower::Clear(level) => facts.recipient_clearance = facts.recipient_clearance.min(level),
        Narrower::Ceiling(level) => facts.mou_ceiling = facts.mou_ceiling.min(level),
        Narrower::Mou(state) if state != MouState::Active => facts.mou = state,
        Narrower::Mou(_) => {}
        Narrower::Caveat(caveat) => {
            facts.caveats.insert(caveat);
        }
        Narrower::Code(code) => {
            facts.handling_codes.insert(code);
        }
        // The last country of a list is kept: an empty list sets no limit.
        Narrower::Forget if facts.releasable_to.len() > 1 => {
            facts.releasable_to.pop_first();
        }
        Narrower::Forget => {}
        Narrower::NotGranted if facts.consent == Consent::Granted => {
            facts.consent = Consent::NotApplicable
        }
        Narrower::NotGranted => {}
        Narrower::Refused => facts.consent = Consent::Refused,
        Narrower::NotOriginator => facts.holder_is_originator = false,
        Narrower::Unaddressed => facts.addressed = false,
        Narrower::Personal => facts.personal_data = true,
        Narrower::Public => facts.channel_public = true,
        Narrower::Invalid => facts.label_state = LabelState::Invalid,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_narrows_never_releases_more(facts in labelled(), changes in proptest::collection::vec(narrower(), 1..4)) {
        let before = engine().decide(&facts);
        let mut after = facts.clone();
        changes.iter().for_each(|one| narrow(&mut after, *one));
        let after = engine().decide(&after);
        prop_assert!(after.verdict() >= before.verdict(), "{before:?}\n{after:?}");
        prop_assert!(after.alarms().is_empty());
    }

    #[test]
    fn the_mandatory_limits_hold_for_every_permit(facts in labelled()) {
        if engine().decide(&facts).verdict() == Verdict::Permit {
            let rank = facts.classification;
            prop_assert!(rank <= facts.channel_accreditation);
            prop_assert!(rank == Level::Nc || rank <= facts.crypto_approval);
            prop_assert!(rank <= facts.recipient_clearance);
            prop_assert!(!facts.is_cross() || facts.is_public() || facts.mou == MouState::Active);
            prop_assert!(!facts.is_cross() || facts.is_public() || rank <= facts.mou_ceiling);
        }
    }
}
