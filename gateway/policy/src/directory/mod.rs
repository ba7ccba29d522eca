//! The directory: participants and officers, as versions with days of validity.
//!
//! A [`Directory`] is one snapshot of one epoch; [`Directory::at`] gives the
//! view of a moment. Identity comes from channel credentials: a participant is
//! found by its certificate or its registered address, never by message text.

mod load;
mod officer;
mod participant;
mod person;
mod sight;

use std::collections::HashMap;

use chancery_message::{Channel, OfficerId, ParticipantId, Timestamp};

pub use load::{DirectoryError, Problem, ended};
pub(crate) use load::{line_at, read_toml};
pub use officer::{Officer, Role};
pub use participant::{
    Approval, ChannelEntry, Clearance, Duty, Fingerprint, MailEntry, Participant, Standing,
    TlsEntry,
};
pub use person::Person;

/// A snapshot of the directory.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    epoch: u64,
    participants: Vec<Participant>,
    officers: Vec<Officer>,
    by_id: HashMap<ParticipantId, Vec<usize>>,
    by_certificate: HashMap<(Channel, [u8; 32]), Vec<usize>>,
    by_address: HashMap<String, Vec<usize>>,
    by_officer: HashMap<OfficerId, Vec<usize>>,
}

/// The directory at one moment: entries that are in force and not suspended.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    directory: &'a Directory,
    now: Timestamp,
}

// === impl Directory ===

impl Directory {
    /// A snapshot of these versions.
    ///
    /// # Errors
    /// [`DirectoryError`] with everything that is wrong with them.
    pub fn new(
        epoch: u64,
        participants: Vec<Participant>,
        officers: Vec<Officer>,
    ) -> Result<Self, DirectoryError> {
        let problems = load::check(&participants, &officers);
        if !problems.is_empty() {
            return Err(DirectoryError::new(problems));
        }
        let mut directory = Self {
            epoch,
            ..Self::default()
        };
        for (at, one) in participants.iter().enumerate() {
            directory.by_id.entry(one.id.clone()).or_default().push(at);
            for (channel, entry) in [(Channel::Siena, &one.siena), (Channel::Rest, &one.rest)] {
                let own = entry.iter().flat_map(|entry| &entry.certificates);
                let people = one.people.iter().flat_map(|one| one.certificates(channel));
                for Fingerprint(print) in own.chain(people) {
                    directory
                        .by_certificate
                        .entry((channel, *print))
                        .or_default()
                        .push(at);
                }
            }
            if let Some(mail) = &one.mail {
                directory
                    .by_address
                    .entry(mail.address.to_lowercase())
                    .or_default()
                    .push(at);
            }
        }
        for (at, one) in officers.iter().enumerate() {
            directory
                .by_officer
                .entry(one.id.clone())
                .or_default()
                .push(at);
        }
        directory.participants = participants;
        directory.officers = officers;
        Ok(directory)
    }

    /// The epoch of this snapshot: it grows with every change of directory, MoUs or rules.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The same snapshot under another epoch.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// All versions of participants.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// All versions of officers.
    #[must_use]
    pub fn officers(&self) -> &[Officer] {
        &self.officers
    }

    /// True if any version of a participant has this id, in force or not.
    #[must_use]
    pub fn knows(&self, id: &ParticipantId) -> bool {
        self.by_id.contains_key(id)
    }

    /// The view of a moment.
    #[must_use]
    pub const fn at(&self, now: Timestamp) -> View<'_> {
        View {
            directory: self,
            now,
        }
    }
}

// === impl View ===

impl<'a> View<'a> {
    /// The snapshot's epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.directory.epoch
    }

    /// The moment.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// True if any version of a participant has this id, in force or not.
    #[must_use]
    pub fn knows(&self, id: &ParticipantId) -> bool {
        self.directory.knows(id)
    }

    /// The participant of this id.
    #[must_use]
    pub fn by_id(&self, id: &ParticipantId) -> Option<&'a Participant> {
        self.first(self.directory.by_id.get(id))
    }

    /// The central registry, where the directory names one.
    #[must_use]
    pub fn central_registry(&self) -> Option<&'a Participant> {
        self.participants().find(|one| one.central_registry)
    }

    /// The participant that holds this certificate on this channel: one of its
    /// systems, or a person who acts for it today.
    #[must_use]
    pub fn by_certificate(
        &self,
        channel: Channel,
        fingerprint: &[u8; 32],
    ) -> Option<&'a Participant> {
        self.acting(channel, fingerprint).map(|(one, _)| one)
    }

    /// The same, with the person whose certificate it is.
    #[must_use]
    pub fn acting(
        &self,
        channel: Channel,
        fingerprint: &[u8; 32],
    ) -> Option<(&'a Participant, Option<&'a Person>)> {
        let key = (channel, *fingerprint);
        let one = self.first(self.directory.by_certificate.get(&key))?;
        let has = |prints: &[Fingerprint]| prints.contains(&Fingerprint(*fingerprint));
        let person = one
            .people
            .iter()
            .find(|person| has(person.certificates(channel)));
        match person {
            Some(person) if !person.acts_at(self.now) => None,
            found => Some((one, found)),
        }
    }

    /// The participant of this mail address, upper or lower case.
    #[must_use]
    pub fn by_mail_address(&self, address: &str) -> Option<&'a Participant> {
        self.first(self.directory.by_address.get(&address.to_lowercase()))
    }

    /// The OpenPGP certificates registered for this address, ASCII-armored.
    #[must_use]
    pub fn openpgp_certificates_for(&self, address: &str) -> Vec<&'a str> {
        self.by_mail_address(address)
            .and_then(|one| one.mail.as_ref())
            .filter(|mail| mail.is_usable())
            .and_then(|mail| mail.openpgp_certificate.as_deref())
            .into_iter()
            .collect()
    }

    /// All participants.
    pub fn participants(self) -> impl Iterator<Item = &'a Participant> {
        self.directory
            .participants
            .iter()
            .filter(move |one| self.is_live(one))
    }

    /// The officer of this id.
    #[must_use]
    pub fn officer(&self, id: &OfficerId) -> Option<&'a Officer> {
        self.directory
            .by_officer
            .get(id)?
            .iter()
            .filter_map(|at| self.directory.officers.get(*at))
            .find(|one| one.validity().holds(self.now) && !one.suspended)
    }

    /// All officers.
    pub fn officers(self) -> impl Iterator<Item = &'a Officer> {
        self.directory
            .officers
            .iter()
            .filter(move |one| one.validity().holds(self.now) && !one.suspended)
    }

    fn first(&self, versions: Option<&Vec<usize>>) -> Option<&'a Participant> {
        versions?
            .iter()
            .filter_map(|at| self.directory.participants.get(*at))
            .find(|one| self.is_live(one))
    }

    fn is_live(&self, one: &Participant) -> bool {
        one.validity().holds(self.now) && !one.suspended
    }
}
