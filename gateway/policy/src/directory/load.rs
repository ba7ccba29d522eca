//! Reading the directory's documents. Everything that is wrong is told at once.

mod people;

use std::collections::HashMap;
use std::fmt;

use chancery_message::{Channel, Timestamp};
use serde::Deserialize;

use super::{Directory, Fingerprint, Officer, Participant};
use crate::day::{Day, Validity};

/// Why a directory does not load: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DirectoryError {
    problems: Vec<Problem>,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which document or entry, for example `participants.toml:12` or `participant csirt-alpha`.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

impl Problem {
    /// The same with the line of the entry that it is about: of several versions
    /// the last; within it the line of the field that its words begin with.
    fn within(self, name: &str, text: &str) -> Self {
        let id = self.place.rsplit([' ', ',']).next().unwrap_or_default();
        let wanted = format!("id = \"{id}\"");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let Some(entry) = lines.iter().rposition(|line| line.starts_with(&wanted)) else {
            return self;
        };
        let field = self.what.split([' ', '.', ':']).next().unwrap_or_default();
        let inner = lines
            .iter()
            .enumerate()
            .skip(entry)
            .take_while(|(_, line)| {
                !line.starts_with("[[participant]]") && !line.starts_with("[[officer]]")
            })
            .find(|(_, line)| {
                line.split([' ', '=']).next() == Some(field)
                    || line.starts_with(&format!("[participant.{field}"))
            })
            .map_or(entry, |(at, _)| at);
        Self {
            place: format!("{name}:{}: {}", inner + 1, self.place),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl DirectoryError {
    pub(super) const fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// What is wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the directory does not load")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Participants {
    #[serde(default)]
    participant: Vec<Participant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Officers {
    #[serde(default)]
    officer: Vec<Officer>,
}

impl Directory {
    /// Reads `participants.toml` and `officers.toml`.
    ///
    /// # Errors
    /// [`DirectoryError`] with everything that is wrong, by line or entry.
    pub fn from_toml(
        epoch: u64,
        participants: &str,
        officers: &str,
    ) -> Result<Self, DirectoryError> {
        let mut problems = Vec::new();
        let people: Option<Participants> =
            read_toml("participants.toml", participants, &mut problems);
        let judges: Option<Officers> = read_toml("officers.toml", officers, &mut problems);
        match (people, judges) {
            (Some(people), Some(judges)) => Self::new(epoch, people.participant, judges.officer)
                .map_err(|error| {
                    let placed = error.problems.into_iter().map(|problem| {
                        let (name, text) = if problem.place.starts_with("officer ") {
                            ("officers.toml", officers)
                        } else {
                            ("participants.toml", participants)
                        };
                        problem.within(name, text)
                    });
                    DirectoryError::new(placed.collect())
                }),
            _ => Err(DirectoryError::new(problems)),
        }
    }

    /// The two documents that [`Directory::from_toml`] reads: participants and officers.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<(String, String), toml::ser::Error> {
        #[derive(serde::Serialize)]
        struct One<'a> {
            participant: &'a [Participant],
        }
        #[derive(serde::Serialize)]
        struct Two<'a> {
            officer: &'a [Officer],
        }
        let people = toml::to_string(&One {
            participant: self.participants(),
        })?;
        let judges = toml::to_string(&Two {
            officer: self.officers(),
        })?;
        Ok((people, judges))
    }
}

/// Reads one document; what is wrong goes to `problems`, with its line.
pub(crate) fn read_toml<T: for<'de> Deserialize<'de>>(
    name: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    match toml::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let place = match error.span() {
                Some(span) => format!("{name}:{}", line_at(text, span.start)),
                None => name.to_owned(),
            };
            problems.push(Problem::new(place, error.message()));
            None
        }
    }
}

/// Clearances and approvals in these entries that have ended already: who enters
/// one that is over has made a mistake.
///
/// `ids` names the entries that are looked at; lines are those of `text`.
#[must_use]
pub fn ended(text: &str, directory: &Directory, ids: &[String], now: Timestamp) -> Vec<Problem> {
    let over = |until: Day| until.end() <= now;
    let mut problems = Vec::new();
    for one in directory
        .participants()
        .iter()
        .filter(|one| ids.contains(&one.id.to_string()) && !one.validity().is_over(now))
    {
        let mut wrong = |what: String| {
            let place = format!("participant {}", one.id);
            problems.push(Problem::new(place, what).within("participants.toml", text));
        };
        if let Some(clearance) = one.clearance.as_ref().filter(|it| over(it.until)) {
            wrong(format!(
                "clearance: it ended on {}: enter the new one, or none",
                clearance.until
            ));
        }
        let entries = [
            ("siena", one.siena.as_ref().map(|it| &it.approval)),
            ("rest", one.rest.as_ref().map(|it| &it.approval)),
            ("mail", one.mail.as_ref().map(|it| &it.approval)),
        ];
        for (channel, approval) in entries {
            let Some(approval) = approval else { continue };
            for (what, until) in [
                ("accreditation", approval.accredited_until),
                ("crypto_approval", approval.crypto_approved_until),
            ] {
                if let Some(until) = until.filter(|until| over(*until)) {
                    wrong(format!(
                        "{channel}.{what}: it ended on {until}: enter the new one"
                    ));
                }
            }
        }
    }
    problems
}

/// The line of a byte, counted from 1.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// What is wrong with these versions taken together.
pub(super) fn check(participants: &[Participant], officers: &[Officer]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let people: Vec<_> = participants
        .iter()
        .map(|one| (one.id.to_string(), one.validity()))
        .collect();
    versions("participant", &people, &mut problems);
    let judges: Vec<_> = officers
        .iter()
        .map(|one| (one.id.to_string(), one.validity()))
        .collect();
    versions("officer", &judges, &mut problems);
    for one in participants {
        entry(one, &mut problems);
    }
    credentials(participants, &mut problems);
    compartments(participants, &mut problems);
    people::persons(participants, &mut problems);
    people::registries(participants, &mut problems);
    for one in officers {
        judge(one, participants, &mut problems);
    }
    keys(officers, &mut problems);
    problems
}

/// Versions of one id: none reversed, none overlapping.
fn versions(what: &str, all: &[(String, Validity)], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, Vec<Validity>> = HashMap::new();
    for (id, validity) in all {
        let place = format!("{what} {id}");
        if validity.is_reversed() {
            problems.push(Problem::new(&place, "valid_until is before valid_from"));
        }
        let others = seen.entry(id).or_default();
        if others.iter().any(|other| other.overlaps(*validity)) {
            problems.push(Problem::new(
                &place,
                "two versions are in force on the same day: end one before the other begins",
            ));
        }
        others.push(*validity);
    }
}

/// One participant's entry.
fn entry(one: &Participant, problems: &mut Vec<Problem>) {
    let place = format!("participant {}", one.id);
    let mut wrong = |what: &str| problems.push(Problem::new(&place, what));
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=32).contains(&one.compartment.len()) || !one.compartment.bytes().all(good) {
        wrong("compartment is 1 to 32 of a-z, 0-9 and -");
    }
    if one.name.trim().is_empty() || one.organisation.trim().is_empty() {
        wrong("name and organisation say who it is");
    }
    if let Some(mail) = &one.mail {
        let parts: Vec<_> = mail.address.split('@').collect();
        let spaced = mail
            .address
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ','));
        if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) || spaced {
            wrong("mail.address is one address, name@domain");
        }
        let digits = |text: &String| {
            matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
        };
        if mail
            .openpgp_fingerprint
            .as_ref()
            .is_some_and(|text| !text.is_empty() && !digits(text))
        {
            wrong("mail.openpgp_fingerprint is 40 or 64 hexadecimal digits, without spaces");
        }
    }
    if one.preferred_channel.is_some_and(|channel| match channel {
        Channel::Mail => one.mail.is_none(),
        Channel::Siena => one.siena.is_none(),
        Channel::Rest => one.rest.is_none(),
    }) {
        wrong("preferred_channel names a channel that the entry does not have");
    }
}

/// A certificate or an address belongs to one participant.
fn credentials(participants: &[Participant], problems: &mut Vec<Problem>) {
    let mut holders: HashMap<String, Vec<&Participant>> = HashMap::new();
    for one in participants {
        for (channel, entry) in [(Channel::Siena, &one.siena), (Channel::Rest, &one.rest)] {
            let own = entry.iter().flat_map(|entry| &entry.certificates);
            let people = one.people.iter().flat_map(|one| one.certificates(channel));
            for Fingerprint(print) in own.chain(people) {
                let key = format!("the {channel} certificate {}", hex::encode(print));
                holders.entry(key).or_default().push(one);
            }
        }
        if let Some(mail) = &one.mail {
            holders
                .entry(format!("the address {}", mail.address.to_lowercase()))
                .or_default()
                .push(one);
        }
    }
    let mut shared: Vec<_> = holders.into_iter().collect();
    shared.sort_by(|a, b| a.0.cmp(&b.0));
    for (what, all) in shared {
        let clash = all.iter().enumerate().any(|(at, a)| {
            all.iter()
                .skip(at + 1)
                .any(|b| a.id != b.id && a.validity().overlaps(b.validity()))
        });
        if clash {
            let ids: Vec<_> = all.iter().map(|one| one.id.to_string()).collect();
            problems.push(Problem::new(
                ids.join(", "),
                format!("{what} is registered for more than one participant"),
            ));
        }
    }
}

/// A private participant's compartment is its own.
fn compartments(participants: &[Participant], problems: &mut Vec<Problem>) {
    let mut holders: HashMap<&str, Vec<&Participant>> = HashMap::new();
    for one in participants {
        holders.entry(&one.compartment).or_default().push(one);
    }
    for one in participants.iter().filter(|one| one.is_private()) {
        let shared = holders.get(one.compartment.as_str()).is_some_and(|all| {
            all.iter()
                .any(|other| other.organisation != one.organisation)
        });
        if shared {
            problems.push(Problem::new(
                format!("participant {}", one.id),
                "a private participant's compartment is its own: give it another name",
            ));
        }
    }
}

/// One officer's entry.
fn judge(one: &Officer, participants: &[Participant], problems: &mut Vec<Problem>) {
    let place = format!("officer {}", one.id);
    if !participants.iter().any(|other| other.id == one.participant) {
        problems.push(Problem::new(
            &place,
            format!(
                "`{}` is not a participant of the directory",
                one.participant
            ),
        ));
    }
    if one.roles.is_empty() {
        problems.push(Problem::new(&place, "roles says what the officer may do"));
    }
    if one.key.as_ref().is_some_and(|key| !key.trim().is_empty()) && one.verifying_key().is_none() {
        problems.push(Problem::new(
            &place,
            "key is a P-256 public key: SubjectPublicKeyInfo in PEM",
        ));
    }
}

/// Two officers with one key would be one person with two votes.
fn keys(officers: &[Officer], problems: &mut Vec<Problem>) {
    let mut holders: HashMap<Vec<u8>, &Officer> = HashMap::new();
    for one in officers {
        let Some(key) = one.verifying_key() else {
            continue;
        };
        let point = key.to_encoded_point(true).as_bytes().to_vec();
        match holders.get(&point) {
            Some(other) if other.id != one.id => problems.push(Problem::new(
                format!("officer {}", one.id),
                format!("has the same key as {}: a vote is one person's", other.id),
            )),
            _ => {
                holders.insert(point, one);
            }
        }
    }
}
