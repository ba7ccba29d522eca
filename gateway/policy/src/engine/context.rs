//! Facts as a request to Cedar. The values of closed sets are made once, when
//! the engine is loaded.

use std::str::FromStr;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use chancery_label::{Caveat, HandlingCode, Level, Tlp};
use chancery_message::{Community, ParticipantKind, Purpose};

use crate::facts::{
    Article25Basis, Consent, ExternalAgreement, Facts, LabelState, MouState, Relation, ReviewFlag,
};

/// The request's fixed parts.
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
    values: Vec<(T, RestrictedExpression)>,
}

impl<T: Copy + PartialEq> Closed<T> {
    fn new(
        entity: &str,
        all: impl IntoIterator<Item = T>,
        word: impl Fn(T) -> &'static str,
    ) -> Result<Self, String> {
        let values = all
            .into_iter()
            .map(|value| {
                Ok((
                    value,
                    RestrictedExpression::new_entity_uid(uid(entity, word(value))?),
                ))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { values })
    }

    fn of(&self, value: T) -> Result<RestrictedExpression, String> {
        self.values
            .iter()
            .find(|(word, _)| *word == value)
            .map(|(_, expression)| expression.clone())
            .ok_or_else(|| "a word that the engine does not have".to_owned())
    }

    fn set<'a>(
        &self,
        values: impl IntoIterator<Item = &'a T>,
    ) -> Result<RestrictedExpression, String>
    where
        T: 'a,
    {
        let values = values
            .into_iter()
            .map(|value| self.of(*value))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(RestrictedExpression::new_set(values))
    }
}

fn uid(entity: &str, id: &str) -> Result<EntityUid, String> {
    let name = EntityTypeName::from_str(entity).map_err(|error| error.to_string())?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

fn rank(level: Level) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::from(level.rank()))
}

// === impl Words ===

impl Words {
    pub(super) fn new() -> Result<Self, String> {
        let tlps = std::iter::once(None).chain(Tlp::ALL.map(Some));
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
                ExternalAgreement::ALL.iter().copied(),
                ExternalAgreement::word,
            )?,
            article_25_basis: Closed::new(
                "Article25Basis",
                Article25Basis::ALL.iter().copied(),
                Article25Basis::word,
            )?,
            review_flag: Closed::new(
                "ReviewFlag",
                ReviewFlag::ALL.iter().copied(),
                ReviewFlag::word,
            )?,
        })
    }

    /// The request: every fact under its own name, and the words made of several.
    pub(super) fn request(&self, facts: &Facts) -> Result<Request, String> {
        let boolean = RestrictedExpression::new_bool;
        let countries = facts
            .releasable_to
            .iter()
            .map(|country| RestrictedExpression::new_string(country.as_str().to_owned()));
        let pairs = [
            ("label_state", self.label_state.of(facts.label_state)?),
            ("classification", rank(facts.classification)),
            ("caveats", self.caveat.set(&facts.caveats)?),
            ("releasable_to", RestrictedExpression::new_set(countries)),
            ("tlp", self.tlp.of(facts.tlp)?),
            (
                "handling_codes",
                self.handling_code.set(&facts.handling_codes)?,
            ),
            ("personal_data", boolean(facts.personal_data)),
            ("purpose", self.purpose.of(facts.purpose)?),
            (
                "sender_community",
                self.community.of(facts.sender_community)?,
            ),
            (
                "recipient_community",
                self.community.of(facts.recipient_community)?,
            ),
            ("sender_kind", self.kind.of(facts.sender_kind)?),
            ("recipient_kind", self.kind.of(facts.recipient_kind)?),
            (
                "recipient_country",
                RestrictedExpression::new_string(facts.recipient_country.as_str().to_owned()),
            ),
            ("recipient_clearance", rank(facts.recipient_clearance)),
            ("relation", self.relation.of(facts.relation)?),
            ("channel_accreditation", rank(facts.channel_accreditation)),
            ("crypto_approval", rank(facts.crypto_approval)),
            ("channel_public", boolean(facts.channel_public)),
            ("holder_is_originator", boolean(facts.holder_is_originator)),
            ("consent", self.consent.of(facts.consent)?),
            ("addressed", boolean(facts.addressed)),
            ("mou", self.mou.of(facts.mou)?),
            ("mou_ceiling", rank(facts.mou_ceiling)),
            (
                "external_agreement",
                self.external_agreement.of(facts.external_agreement)?,
            ),
            (
                "article_25_basis",
                self.article_25_basis.of(facts.article_25_basis)?,
            ),
            ("review_flags", self.review_flag.set(&facts.review_flags)?),
            ("external", boolean(facts.is_external())),
            ("cross", boolean(facts.is_cross())),
            (
                "to_private_or_media",
                boolean(facts.is_to_private_or_media()),
            ),
            ("public_information", boolean(facts.is_public())),
            ("ungranted", boolean(facts.is_ungranted())),
        ];
        let context = Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value)))
            .map_err(|error| error.to_string())?;
        // The schema is not asked again for each request: the types above are
        // the schema's, and a test builds every value against it.
        Request::new(
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
            context,
            None,
        )
        .map_err(|error| error.to_string())
    }
}
