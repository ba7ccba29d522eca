//! Facts as Cedar sees them: every fact under its own name, and the words made
//! of several. One table says, for each, how it is written for Cedar and how it
//! is packed into a number, so that equal numbers mean equal facts.

use std::str::FromStr;

use cedar_policy::{
    Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use chancery_label::{Caveat, HandlingCode, Level, Tlp};
use chancery_message::{Community, ParticipantKind, Purpose};

use crate::facts::{
    Article25Basis, Consent, ExternalAgreement, Facts, LabelState, MouState, Relation, ReviewFlag,
};

/// One attribute of the context.
pub(super) struct Attribute {
    /// Its name in the schema.
    pub(super) name: &'static str,
    /// How many bits its number has.
    bits: u32,
    /// Its number.
    number: fn(&Facts) -> u128,
    /// Its value for Cedar.
    value: fn(&Words, &Facts) -> Result<Value, String>,
}

/// The one attribute that has no number: rules that read it are told apart by the list itself.
pub(super) const LIST: &str = "releasable_to";

const WORD: u32 = 3;
const RANK: u32 = 3;
const FLAG: u32 = 1;

const fn attribute(
    name: &'static str,
    bits: u32,
    number: fn(&Facts) -> u128,
    value: fn(&Words, &Facts) -> Result<Value, String>,
) -> Attribute {
    Attribute {
        name,
        bits,
        number,
        value,
    }
}

/// Every attribute of the schema's context, in its order.
pub(super) const ATTRIBUTES: [Attribute; 31] = [
    attribute(
        "label_state",
        WORD,
        |f| f.label_state as u128,
        |w, f| w.label_state.of(f.label_state),
    ),
    attribute(
        "classification",
        RANK,
        |f| rank(f.classification),
        |_, f| level(f.classification),
    ),
    attribute(
        "caveats",
        4,
        |f| set(&f.caveats, |c| *c as u32),
        |w, f| w.caveat.set(&f.caveats),
    ),
    attribute(LIST, 0, |_| 0, |_, f| Ok(countries(f))),
    attribute(
        "tlp",
        WORD,
        |f| f.tlp.map_or(0, |tlp| 1 + tlp as u128),
        |w, f| w.tlp.of(f.tlp),
    ),
    attribute(
        "handling_codes",
        8,
        |f| set(&f.handling_codes, |c| *c as u32),
        |w, f| w.handling_code.set(&f.handling_codes),
    ),
    attribute(
        "personal_data",
        FLAG,
        |f| f.personal_data.into(),
        |_, f| flag(f.personal_data),
    ),
    attribute(
        "purpose",
        WORD,
        |f| f.purpose as u128,
        |w, f| w.purpose.of(f.purpose),
    ),
    attribute(
        "sender_community",
        WORD,
        |f| f.sender_community as u128,
        |w, f| w.community.of(f.sender_community),
    ),
    attribute(
        "recipient_community",
        WORD,
        |f| f.recipient_community as u128,
        |w, f| w.community.of(f.recipient_community),
    ),
    attribute(
        "sender_kind",
        WORD,
        |f| f.sender_kind as u128,
        |w, f| w.kind.of(f.sender_kind),
    ),
    attribute(
        "recipient_kind",
        WORD,
        |f| f.recipient_kind as u128,
        |w, f| w.kind.of(f.recipient_kind),
    ),
    attribute(
        "recipient_country",
        32,
        |f| f.recipient_country.number().into(),
        |_, f| Ok(text(f.recipient_country.as_str())),
    ),
    attribute(
        "recipient_clearance",
        RANK,
        |f| rank(f.recipient_clearance),
        |_, f| level(f.recipient_clearance),
    ),
    attribute(
        "relation",
        WORD,
        |f| f.relation as u128,
        |w, f| w.relation.of(f.relation),
    ),
    attribute(
        "channel_accreditation",
        RANK,
        |f| rank(f.channel_accreditation),
        |_, f| level(f.channel_accreditation),
    ),
    attribute(
        "crypto_approval",
        RANK,
        |f| rank(f.crypto_approval),
        |_, f| level(f.crypto_approval),
    ),
    attribute(
        "channel_public",
        FLAG,
        |f| f.channel_public.into(),
        |_, f| flag(f.channel_public),
    ),
    attribute(
        "holder_is_originator",
        FLAG,
        |f| f.holder_is_originator.into(),
        |_, f| flag(f.holder_is_originator),
    ),
    attribute(
        "consent",
        WORD,
        |f| f.consent as u128,
        |w, f| w.consent.of(f.consent),
    ),
    attribute(
        "addressed",
        FLAG,
        |f| f.addressed.into(),
        |_, f| flag(f.addressed),
    ),
    attribute("mou", WORD, |f| f.mou as u128, |w, f| w.mou.of(f.mou)),
    attribute(
        "mou_ceiling",
        RANK,
        |f| rank(f.mou_ceiling),
        |_, f| level(f.mou_ceiling),
    ),
    attribute(
        "external_agreement",
        WORD,
        |f| f.external_agreement as u128,
        |w, f| w.external_agreement.of(f.external_agreement),
    ),
    attribute(
        "article_25_basis",
        WORD,
        |f| f.article_25_basis as u128,
        |w, f| w.article_25_basis.of(f.article_25_basis),
    ),
    attribute(
        "review_flags",
        8,
        |f| set(&f.review_flags, |c| *c as u32),
        |w, f| w.review_flag.set(&f.review_flags),
    ),
    attribute(
        "external",
        FLAG,
        |f| f.is_external().into(),
        |_, f| flag(f.is_external()),
    ),
    attribute(
        "cross",
        FLAG,
        |f| f.is_cross().into(),
        |_, f| flag(f.is_cross()),
    ),
    attribute(
        "to_private_or_media",
        FLAG,
        |f| f.is_to_private_or_media().into(),
        |_, f| flag(f.is_to_private_or_media()),
    ),
    attribute(
        "public_information",
        FLAG,
        |f| f.is_public().into(),
        |_, f| flag(f.is_public()),
    ),
    attribute(
        "ungranted",
        FLAG,
        |f| f.is_ungranted().into(),
        |_, f| flag(f.is_ungranted()),
    ),
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

fn rank(level: Level) -> u128 {
    level.rank().into()
}

fn set<'a, T: 'a>(all: impl IntoIterator<Item = &'a T>, at: fn(&T) -> u32) -> u128 {
    all.into_iter().fold(0, |bits, one| bits | (1 << at(one)))
}

fn level(level: Level) -> Result<Value, String> {
    Ok(Value::new_long(level.rank().into()))
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "one shape for all values of the table"
)]
fn flag(value: bool) -> Result<Value, String> {
    Ok(Value::new_bool(value))
}

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

fn countries(facts: &Facts) -> Value {
    Value::new_set(
        facts
            .releasable_to
            .iter()
            .map(|country| text(country.as_str())),
    )
}

/// The request's fixed parts, and the values of closed sets, made once.
#[derive(Debug)]
pub(super) struct Words {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    label_state: Closed<LabelState>,
    caveat: Closed<Caveat>,
    tlp: Closed<Option<Tlp>>,
    handling_code: Closed<HandlingCode>,
    purpose: Closed<Purpose>,
    community: Closed<Community>,
    kind: Closed<ParticipantKind>,
    consent: Closed<Consent>,
    relation: Closed<Relation>,
    mou: Closed<MouState>,
    external_agreement: Closed<ExternalAgreement>,
    article_25_basis: Closed<Article25Basis>,
    review_flag: Closed<ReviewFlag>,
}

/// A closed set of words as Cedar values.
#[derive(Debug)]
struct Closed<T> {
    values: Vec<(T, Value)>,
}

impl<T: Copy + PartialEq> Closed<T> {
    fn new(
        entity: &str,
        all: impl IntoIterator<Item = T>,
        word: impl Fn(T) -> &'static str,
    ) -> Result<Self, String> {
        let values = all
            .into_iter()
            .map(|value| Ok((value, Value::new_entity_uid(uid(entity, word(value))?))))
            .collect::<Result<_, String>>()?;
        Ok(Self { values })
    }

    fn of(&self, value: T) -> Result<Value, String> {
        self.values
            .iter()
            .find(|(word, _)| *word == value)
            .map(|(_, expression)| expression.clone())
            .ok_or_else(|| "a word that the engine does not have".to_owned())
    }

    fn set<'a>(&self, values: impl IntoIterator<Item = &'a T>) -> Result<Value, String>
    where
        T: 'a,
    {
        let values = values
            .into_iter()
            .map(|value| self.of(*value))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Value::new_set(values))
    }
}

fn uid(entity: &str, id: &str) -> Result<EntityUid, String> {
    let name = EntityTypeName::from_str(entity).map_err(|error| error.to_string())?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

// === impl Words ===

impl Words {
    pub(super) fn new() -> Result<Self, String> {
        let tlps = std::iter::once(None).chain(Tlp::ALL.map(Some));
        let agreements = ExternalAgreement::ALL.iter().copied();
        let bases = Article25Basis::ALL.iter().copied();
        Ok(Self {
            principal: uid("Participant", "recipient")?,
            action: uid("Action", "release")?,
            resource: uid("Message", "message")?,
            label_state: Closed::new(
                "LabelState",
                LabelState::ALL.iter().copied(),
                LabelState::word,
            )?,
            caveat: Closed::new("Caveat", Caveat::ALL, Caveat::code)?,
            tlp: Closed::new("Tlp", tlps, |tlp| tlp.map_or("none", Tlp::code))?,
            handling_code: Closed::new("HandlingCode", HandlingCode::ALL, HandlingCode::code)?,
            purpose: Closed::new("Purpose", Purpose::ALL.iter().copied(), Purpose::word)?,
            community: Closed::new("Community", Community::ALL.iter().copied(), Community::word)?,
            kind: Closed::new(
                "Kind",
                ParticipantKind::ALL.iter().copied(),
                ParticipantKind::word,
            )?,
            consent: Closed::new("Consent", Consent::ALL.iter().copied(), Consent::word)?,
            relation: Closed::new("Relation", Relation::ALL.iter().copied(), Relation::word)?,
            mou: Closed::new("Mou", MouState::ALL.iter().copied(), MouState::word)?,
            external_agreement: Closed::new(
                "ExternalAgreement",
                agreements,
                ExternalAgreement::word,
            )?,
            article_25_basis: Closed::new("Article25Basis", bases, Article25Basis::word)?,
            review_flag: Closed::new(
                "ReviewFlag",
                ReviewFlag::ALL.iter().copied(),
                ReviewFlag::word,
            )?,
        })
    }

    /// A request whose context has these attributes of the facts. The schema is
    /// not asked again for each request: a test builds them against it.
    pub(super) fn request(&self, facts: &Facts, attributes: &[&str]) -> Result<Request, String> {
        let pairs = ATTRIBUTES
            .iter()
            .filter(|one| attributes.contains(&one.name))
            .map(|one| Ok((one.name.to_owned(), (one.value)(self, facts)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let context = Context::from_pairs(pairs).map_err(|error| error.to_string())?;
        let (principal, action, resource) = (
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
        );
        Request::new(principal, action, resource, context, None).map_err(|error| error.to_string())
    }

    /// As [`Words::request`] with every attribute, checked against the schema.
    #[cfg(test)]
    pub(super) fn checked(
        &self,
        facts: &Facts,
        schema: &cedar_policy::Schema,
    ) -> Result<Request, String> {
        let all: Vec<_> = ATTRIBUTES.iter().map(|one| one.name).collect();
        let request = self.request(facts, &all)?;
        let context = request.context().cloned().ok_or("no context")?;
        let (principal, action, resource) = (
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
        );
        Request::new(principal, action, resource, context, Some(schema))
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::Schema;

    use super::*;
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
