//! Who asks and sends, as the transport proved it.

use chancery_audit::Actor;
use chancery_hsm_api::Compartment;
use chancery_label::Level;
use chancery_message::{Community, ParticipantId, PersonId};

/// A participant in force, as the stages need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its id.
    pub id: ParticipantId,
    /// Its name.
    pub name: String,
    /// Its community.
    pub community: Community,
    /// The compartment whose keys protect its messages.
    pub compartment: Compartment,
    /// True for companies: they see no numbers and no neighbours.
    pub private: bool,
    /// Its mail address.
    pub address: Option<String>,
    /// The person who acts for it, where a person's certificate was shown.
    pub person: Option<Acting>,
}

/// A person who acts for a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Who.
    pub id: PersonId,
    /// Up to which level the person is cleared today.
    pub clearance: Level,
}

impl Sender {
    /// Who acts, for the record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.person {
            Some(person) => Actor::Person(self.id.clone(), person.id.clone()),
            None => Actor::Participant(self.id.clone()),
        }
    }
}
