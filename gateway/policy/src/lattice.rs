//! The mandatory gates in code. The rule texts state each of them too; the
//! engine refuses where the two disagree.

use chancery_label::{Caveat, Level};

use crate::facts::{ExternalAgreement, Facts, LabelState, MouState, ReviewFlag};
use crate::gate::{Effect, Gate};

/// One gate stated in code.
struct Mandatory {
    gate: Gate,
    effect: Effect,
    fires: fn(&Facts) -> bool,
}

const fn deny(number: u8, fires: fn(&Facts) -> bool) -> Mandatory {
    Mandatory {
        gate: Gate::g(number),
        effect: Effect::Deny,
        fires,
    }
}

/// The gates that code and rule text both state. Public information passes
/// those from G06 on; each of them asks for more than public information has,
/// but G11 and G09 could not tell, hence the guard in [`fired`].
const MANDATORY: [Mandatory; 11] = [
    deny(1, |facts| facts.label_state == LabelState::Invalid),
    Mandatory {
        gate: Gate::UNLABELLED,
        effect: Effect::Review,
        fires: |facts| facts.label_state == LabelState::Missing,
    },
    deny(3, |facts| {
        facts.classification > facts.channel_accreditation
    }),
    deny(4, |facts| {
        is_classified(facts) && facts.classification > facts.crypto_approval
    }),
    deny(6, |facts| facts.is_cross() && facts.mou != MouState::Active),
    deny(7, |facts| {
        facts.is_cross()
            && facts.mou == MouState::Active
            && facts.classification > facts.mou_ceiling
    }),
    deny(8, |facts| {
        let highest = match facts.external_agreement {
            ExternalAgreement::SecurityOfInformation => Level::TopSecret,
            ExternalAgreement::Administrative => Level::Restricted,
            ExternalAgreement::NotApplicable
            | ExternalAgreement::None
            | ExternalAgreement::ClassifiedContract => Level::Nc,
        };
        facts.is_external() && facts.classification > highest
    }),
    deny(9, |facts| {
        let limited =
            !facts.releasable_to.is_empty() || (facts.is_external() && is_classified(facts));
        limited && !facts.releasable_to.contains(&facts.recipient_country)
    }),
    deny(10, |facts| {
        facts.is_to_private_or_media()
            && is_classified(facts)
            && facts.external_agreement != ExternalAgreement::ClassifiedContract
    }),
    deny(11, |facts| facts.classification > facts.recipient_clearance),
    deny(13, |facts| {
        facts.caveats.contains(&Caveat::Crypto)
            && !facts.review_flags.contains(&ReviewFlag::CryptoCustodian)
    }),
];

/// The first gate that public information passes.
const FIRST_PASSED_BY_PUBLIC: u8 = 6;

fn is_classified(facts: &Facts) -> bool {
    facts.classification > Level::Nc
}

/// The mandatory gates that fire, in the order of their numbers.
pub(crate) fn fired(facts: &Facts) -> Vec<(Gate, Effect)> {
    let public = facts.is_public();
    MANDATORY
        .iter()
        .filter(|one| !(public && one.gate.number() >= FIRST_PASSED_BY_PUBLIC))
        .filter(|one| (one.fires)(facts))
        .map(|one| (one.gate, one.effect))
        .collect()
}

/// All gates that code states, with their effects.
pub(crate) fn mandatory() -> impl Iterator<Item = (Gate, Effect)> {
    MANDATORY.iter().map(|one| (one.gate, one.effect))
}
