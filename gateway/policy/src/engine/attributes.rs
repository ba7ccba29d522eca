//! Facts as Cedar sees them: every fact under its own name, and the words made
//! of several. One table says, for each, how it is written for Cedar and how it
//! is packed into a number, so that equal numbers mean equal facts.

use cedar_policy::RestrictedExpression as Value;
use chancery_label::Level;

use super::words::Words;
use crate::facts::Facts;

/// One attribute of the context.
pub(super) struct Attribute {
    /// Its name in the schema.
    pub(super) name: &'static str,
    /// How many bits its number has.
    bits: u32,
    /// Its number.
    number: fn(&Facts) -> u128,
    /// Its value for Cedar.
    pub(super) value: fn(&Words, &Facts) -> Result<Value, String>,
}

/// The one attribute that has no number: rules that read it are told apart by
/// the list itself.
pub(super) const LIST: &str = "releasable_to";

/// A word of a closed set: the values of no set have more than 3 bits.
macro_rules! word {
    ($field:ident in $set:ident) => {
        Attribute {
            name: stringify!($field),
            bits: 3,
            number: |facts| facts.$field as u128,
            value: |words, facts| words.$set.of(facts.$field),
        }
    };
}

/// A level, by its rank.
macro_rules! rank {
    ($field:ident) => {
        Attribute {
            name: stringify!($field),
            bits: 3,
            number: |facts| rank(facts.$field).into(),
            value: |_, facts| Ok(Value::new_long(rank(facts.$field).into())),
        }
    };
}

/// True or false, as a fact or as a word made of several.
macro_rules! flag {
    ($name:ident, $value:expr) => {
        Attribute {
            name: stringify!($name),
            bits: 1,
            number: |facts| $value(facts).into(),
            value: |_, facts| Ok(Value::new_bool($value(facts))),
        }
    };
    ($field:ident) => {
        flag!($field, (|facts: &Facts| facts.$field))
    };
}

/// Some words of a closed set: one bit for each.
macro_rules! set {
    ($field:ident in $set:ident, $bits:literal) => {
        Attribute {
            name: stringify!($field),
            bits: $bits,
            number: |facts| {
                facts
                    .$field
                    .iter()
                    .fold(0, |bits, one| bits | (1 << *one as u32))
            },
            value: |words, facts| words.$set.set(&facts.$field),
        }
    };
}

/// Every attribute of the schema's context, in its order.
pub(super) const ATTRIBUTES: [Attribute; 31] = [
    word!(label_state in label_state),
    rank!(classification),
    set!(caveats in caveat, 3),
    Attribute {
        name: LIST,
        bits: 0,
        number: |_| 0,
        value: |_, facts| {
            Ok(Value::new_set(
                facts.releasable_to.iter().map(|one| text(one.as_str())),
            ))
        },
    },
    Attribute {
        name: "tlp",
        bits: 3,
        number: |facts| facts.tlp.map_or(0, |tlp| 1 + tlp as u128),
        value: |words, facts| words.tlp.of(facts.tlp),
    },
    set!(handling_codes in handling_code, 4),
    flag!(personal_data),
    word!(purpose in purpose),
    word!(sender_community in community),
    word!(recipient_community in community),
    word!(sender_kind in kind),
    word!(recipient_kind in kind),
    Attribute {
        name: "recipient_country",
        bits: 32,
        number: |facts| facts.recipient_country.number().into(),
        value: |_, facts| Ok(text(facts.recipient_country.as_str())),
    },
    rank!(recipient_clearance),
    word!(relation in relation),
    rank!(channel_accreditation),
    rank!(crypto_approval),
    flag!(channel_public),
    flag!(holder_is_originator),
    word!(consent in consent),
    flag!(addressed),
    word!(mou in mou),
    rank!(mou_ceiling),
    word!(external_agreement in external_agreement),
    word!(article_25_basis in article_25_basis),
    set!(review_flags in review_flag, 5),
    flag!(external, Facts::is_external),
    flag!(cross, Facts::is_cross),
    flag!(to_private_or_media, Facts::is_to_private_or_media),
    flag!(public_information, Facts::is_public),
    flag!(ungranted, Facts::is_ungranted),
];

/// All facts but the list, packed into one number.
pub(super) fn pack(facts: &Facts) -> u128 {
    let mut packed = 0;
    let mut shift = 0;
    for one in &ATTRIBUTES {
        packed |= (one.number)(facts) << shift;
        shift += one.bits;
    }
    packed
}

/// The bits of the named attributes in a packed number.
pub(super) fn mask(names: &[&str]) -> u128 {
    let mut mask = 0;
    let mut shift = 0;
    for one in &ATTRIBUTES {
        if names.contains(&one.name) {
            mask |= ((1 << one.bits) - 1) << shift;
        }
        shift += one.bits;
    }
    mask
}

fn rank(level: Level) -> u8 {
    level.rank()
}

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

#[cfg(test)]
mod tests {
    use cedar_policy::Schema;
    use chancery_label::{Caveat, HandlingCode, Tlp};
    use chancery_message::{Community, ParticipantKind, Purpose};

    use super::*;
    use crate::facts::{
        Article25Basis, Consent, ExternalAgreement, LabelState, MouState, Relation, ReviewFlag,
    };
    use crate::texts::SCHEMA;

    const LINE: &str = r#"{"id":"C1","label_state":"valid","classification":"NC","personal_data":false,"purpose":"cyber-crisis","sender_community":"civilian","recipient_community":"civilian","sender_kind":"agency","recipient_kind":"agency","recipient_country":"EU","recipient_clearance":"NC","channel_accreditation":"NC","crypto_approval":"NC","mou_ceiling":"NC","holder_is_originator":false,"addressed":false,"relation":"same-org","mou":"none"}"#;

    /// Facts, each differing from the first in one field, through all values.
    fn all() -> Vec<Facts> {
        let first = Facts::from_json(LINE).unwrap();
        let mut all = vec![first.clone()];
        macro_rules! each {
            ($field:ident, $values:expr) => {
                for value in $values {
                    let mut facts = first.clone();
                    facts.$field = value;
                    all.push(facts);
                }
            };
        }
        each!(label_state, LabelState::ALL.iter().copied());
        each!(classification, Level::ALL);
        each!(caveats, Caveat::ALL.map(|one| [one].into()));
        each!(tlp, Tlp::ALL.map(Some));
        each!(handling_codes, HandlingCode::ALL.map(|one| [one].into()));
        each!(personal_data, [true]);
        each!(purpose, Purpose::ALL.iter().copied());
        each!(sender_community, Community::ALL.iter().copied());
        each!(recipient_community, Community::ALL.iter().copied());
        each!(sender_kind, ParticipantKind::ALL.iter().copied());
        each!(recipient_kind, ParticipantKind::ALL.iter().copied());
        each!(
            recipient_country,
            ["NATO", "FRA", "USA", "XXX"].map(|one| one.parse().unwrap())
        );
        each!(recipient_clearance, Level::ALL);
        each!(relation, Relation::ALL.iter().copied());
        each!(channel_accreditation, Level::ALL);
        each!(crypto_approval, Level::ALL);
        each!(channel_public, [true]);
        each!(holder_is_originator, [true]);
        each!(consent, Consent::ALL.iter().copied());
        each!(addressed, [true]);
        each!(mou, MouState::ALL.iter().copied());
        each!(mou_ceiling, Level::ALL);
        each!(external_agreement, ExternalAgreement::ALL.iter().copied());
        each!(article_25_basis, Article25Basis::ALL.iter().copied());
        each!(
            review_flags,
            ReviewFlag::ALL.iter().map(|one| [*one].into())
        );
        all
    }

    #[test]
    fn every_value_of_every_fact_fits_the_schema() {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
        let words = Words::new().unwrap();
        let mut facts = all();
        facts[0].releasable_to = ["EU", "FRA"].map(|one| one.parse().unwrap()).into();
        for one in facts {
            words.checked(&one, &schema).unwrap();
        }
    }

    #[test]
    fn numbers_fit_their_bits_and_tell_values_apart() {
        assert!(ATTRIBUTES.iter().map(|one| one.bits).sum::<u32>() <= 128);
        for one in all() {
            for attribute in &ATTRIBUTES {
                assert_eq!(
                    (attribute.number)(&one) >> attribute.bits,
                    0,
                    "{}",
                    attribute.name
                );
            }
        }
        let mut facts = all();
        facts.iter_mut().for_each(|one| one.id = String::new());
        facts.sort_by_key(Facts::to_json);
        facts.dedup();
        let packed: std::collections::BTreeSet<_> = facts.iter().map(pack).collect();
        assert_eq!(packed.len(), facts.len());
    }

    #[test]
    fn masks_cover_their_attributes_and_nothing_else() {
        let names: Vec<_> = ATTRIBUTES.iter().map(|one| one.name).collect();
        let mut seen = 0u128;
        for name in &names {
            let one = mask(&[name]);
            assert_eq!(one & seen, 0, "{name}");
            seen |= one;
        }
        assert_eq!(seen, mask(&names));
    }
}
