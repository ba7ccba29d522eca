//! The words of the facts' closed sets as Cedar values, and requests made of them.

use std::str::FromStr;

use cedar_policy::{
    Context, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use chancery_label::{Caveat, HandlingCode, Tlp};
use chancery_message::{Community, ParticipantKind, Purpose};

use super::attributes::ATTRIBUTES;
use crate::facts::{
    Article25Basis, Consent, ExternalAgreement, Facts, LabelState, MouState, Relation, ReviewFlag,
};

/// The request's fixed parts, and the values of closed sets, made once.
#[derive(Debug)]
pub(super) struct Words {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    pub(super) label_state: Closed<LabelState>,
    pub(super) caveat: Closed<Caveat>,
    pub(super) tlp: Closed<Option<Tlp>>,
    pub(super) handling_code: Closed<HandlingCode>,
    pub(super) purpose: Closed<Purpose>,
    pub(super) community: Closed<Community>,
    pub(super) kind: Closed<ParticipantKind>,
    pub(super) consent: Closed<Consent>,
    pub(super) relation: Closed<Relation>,
    pub(super) mou: Closed<MouState>,
    pub(super) external_agreement: Closed<ExternalAgreement>,
    pub(super) article_25_basis: Closed<Article25Basis>,
    pub(super) review_flag: Closed<ReviewFlag>,
}

/// A closed set of words as Cedar values.
#[derive(Debug)]
pub(super) struct Closed<T> {
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

    pub(super) fn of(&self, value: T) -> Result<Value, String> {
        self.values
            .iter()
            .find(|(word, _)| *word == value)
            .map(|(_, expression)| expression.clone())
            .ok_or_else(|| "a word that the engine does not have".to_owned())
    }

    pub(super) fn set<'a>(&self, values: impl IntoIterator<Item = &'a T>) -> Result<Value, String>
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
