//! The golden matrix: who may send what to whom, by which channel, on the
//! example directory. A change of a rule shows as a diff of it.

use chancery_label::{Caveat, HandlingCode, Label, Level, Tlp};
use chancery_message::{Channel, MessageId, ParticipantId, Timestamp};
use serde::Serialize;

use crate::cases::spell;
use crate::derive::{self, MessageMeta, Originator, Release, Thresholds};
use crate::directory::{Directory, DirectoryError, Fingerprint};
use crate::engine::Engine;
use crate::facts::{Consent, Facts, LabelState};
use crate::mou::{MouError, Register};
use crate::shipped;

/// One question of the matrix.
#[derive(Clone, Debug)]
pub struct Cell {
    /// From whom, to whom, by which channel, with which label, whose.
    pub question: String,
    /// The facts.
    pub facts: Facts,
}

/// A cell that two policy sets decide differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The question.
    pub question: String,
    /// What the old set answers, `verdict gates`.
    pub old: String,
    /// What the new set answers.
    pub new: String,
}

/// The matrix could not be made: the example documents do not load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The MoUs.
    #[error(transparent)]
    Mous(#[from] MouError),
}

/// The day of the matrix: 1 March 2026, noon UTC.
const DAY: Timestamp = Timestamp::from_micros(1_772_366_400_000_000);

/// All questions: each example participant to each other, by each channel of
/// the recipient, with each label, the sender's own and passed on.
///
/// # Errors
/// [`MatrixError`]; the tests make the same matrix, so that it does not happen.
pub fn cells() -> Result<Vec<Cell>, MatrixError> {
    let directory = with_keys(&shipped::directory(0)?)?;
    let register = shipped::register(&directory)?;
    let ids: Vec<_> = directory
        .at(DAY)
        .participants()
        .map(|one| one.id.clone())
        .collect();
    let labels = labels();
    let mut cells = Vec::new();
    for from in &ids {
        for to in ids.iter().filter(|to| *to != from) {
            for channel in Channel::ALL {
                let entry = directory
                    .at(DAY)
                    .by_id(to)
                    .and_then(|one| one.channel(channel, DAY));
                if entry.is_some() {
                    let way = Way { from, to, channel };
                    cells.extend(
                        labels
                            .iter()
                            .flat_map(|label| way.both(label, &directory, &register)),
                    );
                }
            }
        }
    }
    Ok(cells)
}

/// The matrix as text: one line a cell.
#[must_use]
pub fn render(engine: &Engine, cells: &[Cell]) -> String {
    cells
        .iter()
        .map(|cell| format!("{} | {}\n", cell.question, answer(engine, &cell.facts)))
        .collect()
}

/// The cells that two policy sets decide differently.
#[must_use]
pub fn diff(old: &Engine, new: &Engine, cells: &[Cell]) -> Vec<Flip> {
    cells
        .iter()
        .filter_map(|cell| {
            let (old, new) = (answer(old, &cell.facts), answer(new, &cell.facts));
            (old != new).then(|| Flip {
                question: cell.question.clone(),
                old,
                new,
            })
        })
        .collect()
}

fn answer(engine: &Engine, facts: &Facts) -> String {
    let decision = engine.decide(facts);
    spell(decision.verdict(), decision.gates())
}

/// From whom to whom by which channel.
struct Way<'a> {
    from: &'a ParticipantId,
    to: &'a ParticipantId,
    channel: Channel,
}

impl Way<'_> {
    /// The sender's own message to this recipient, and one of another's passed on.
    fn both(
        &self,
        (name, label): &(String, Label),
        directory: &Directory,
        register: &Register,
    ) -> Vec<Cell> {
        [("own", false), ("passed on", true)]
            .into_iter()
            .filter_map(|(whose, forward)| {
                let facts = self.facts(label, forward, directory, register)?;
                let Way { from, to, channel } = self;
                Some(Cell {
                    question: format!("{from} to {to} by {channel} | {name} | {whose}"),
                    facts,
                })
            })
            .collect()
    }

    fn facts(
        &self,
        label: &Label,
        forward: bool,
        directory: &Directory,
        register: &Register,
    ) -> Option<Facts> {
        let message = MessageMeta {
            id: MessageId::from_bytes([0; 16]),
            label: label.clone(),
            asserted: Some(label.clone()),
            label_state: LabelState::Valid,
            purpose: None,
            personal_data: Some(false),
            originator: Originator::Sender,
            forward,
            derived_from: Vec::new(),
            addressees: Some(if forward {
                Vec::new()
            } else {
                vec![self.to.clone()]
            }),
            evaluated: true,
            portions: 0,
        };
        let release = Release {
            message: &message,
            sender: self.from,
            recipient: self.to,
            channel: Some(self.channel),
            consent: Consent::NotApplicable,
        };
        let derived = derive::facts(
            &release,
            &directory.at(DAY),
            register,
            &Thresholds::default(),
        );
        derived.ok().map(|derived| derived.facts)
    }
}

/// The labels of the matrix, with their names.
fn labels() -> Vec<(String, Label)> {
    let mut all: Vec<(String, Label)> = Level::ALL
        .map(|level| (level.to_string(), Label::of(level)))
        .into();
    for tlp in Tlp::ALL {
        all.push((
            format!("NC {tlp}"),
            Label {
                tlp: Some(tlp),
                ..Label::default()
            },
        ));
    }
    for caveat in Caveat::ALL {
        all.push((
            format!("R-UE {caveat}"),
            Label {
                caveats: [caveat].into(),
                ..Label::of(Level::Restricted)
            },
        ));
    }
    for code in HandlingCode::ALL {
        all.push((
            format!("NC {code}"),
            Label {
                handling: [code].into(),
                ..Label::default()
            },
        ));
    }
    for codes in [&["EU"][..], &["FRA", "ESP"], &["NOR"]] {
        all.push((
            format!("R-UE RELEASABLE TO {}", codes.join(", ")),
            Label {
                releasable_to: codes.iter().filter_map(|code| code.parse().ok()).collect(),
                ..Label::of(Level::Restricted)
            },
        ));
    }
    all
}

/// The example directory with placeholders for keys, so that every channel counts.
fn with_keys(directory: &Directory) -> Result<Directory, DirectoryError> {
    let mut participants = directory.participants().to_vec();
    for (number, one) in (0u8..).zip(participants.iter_mut()) {
        let print = |channel: u8| {
            Fingerprint(
                [[number, channel]; 16]
                    .concat()
                    .try_into()
                    .unwrap_or_default(),
            )
        };
        if let Some(tls) = &mut one.siena {
            tls.certificates = vec![print(1)];
        }
        if let Some(tls) = &mut one.rest {
            tls.certificates = vec![print(2)];
        }
        if let Some(mail) = &mut one.mail {
            mail.openpgp_certificate = Some("placeholder".to_owned());
        }
    }
    Directory::new(
        directory.epoch(),
        participants,
        directory.officers().to_vec(),
    )
}
