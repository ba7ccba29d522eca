//! Measures whole decisions, facts derived and decided, on one core, as the
//! directory and the register grow: `cargo run --release -p chancery-policy
//! --example releases_per_second [COUNT]`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "prints its measurements")]

use std::error::Error;
use std::time::Instant;

use chancery_label::{Label, Level};
use chancery_message::{Community, MessageId, ParticipantId, ParticipantKind, Purpose, Timestamp};
use chancery_policy::derive::{self, MessageMeta, Originator, Release, Thresholds};
use chancery_policy::directory::{Approval, Directory, Fingerprint, Participant, TlsEntry};
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Consent, Country, LabelState};
use chancery_policy::mou::{Article, Mou, Register, Standing};

type Failure = Box<dyn Error>;

/// The day of the measurement: 1 March 2026, noon UTC.
const NOW: Timestamp = Timestamp::from_micros(1_772_366_400_000_000);

fn participants(count: u32) -> Result<Vec<Participant>, Failure> {
    let communities = [
        Community::Civilian,
        Community::LawEnforcement,
        Community::Diplomacy,
        Community::Defence,
    ];
    (0..count)
        .zip(communities.iter().cycle())
        .map(|(number, community)| {
            let id: ParticipantId = format!("p-{number}").parse()?;
            let mut one = Participant::new(id, *community, ParticipantKind::Agency, Country::EU);
            let mut print = [0; 32];
            print
                .iter_mut()
                .zip(number.to_be_bytes())
                .for_each(|(place, byte)| *place = byte);
            one.rest = Some(TlsEntry {
                certificates: vec![Fingerprint(print)],
                approval: Approval {
                    accreditation: Level::Confidential,
                    crypto_approval: Level::Confidential,
                    ..Approval::default()
                },
            });
            Ok(one)
        })
        .collect()
}

/// MoUs between neighbours; the articles are shared out among them.
fn mous(count: u32, articles: u32, directory: &Directory) -> Result<Register, Failure> {
    let everyone = directory.participants();
    let mut mous = Vec::new();
    for (number, pair) in (0..count).zip(everyone.windows(2).cycle()) {
        let share = articles / count + u32::from(number < articles % count);
        mous.push(Mou {
            id: format!("mou-{number}").parse()?,
            title: String::new(),
            state: Standing::Agreed,
            valid_from: "2025-01-01".parse()?,
            valid_until: "2030-12-31".parse()?,
            parties: pair.iter().map(|one| one.id.clone()).collect(),
            communities: Community::ALL.to_vec(),
            ceiling: Level::Restricted,
            purposes: vec![Purpose::CyberCrisis, Purpose::LawEnforcement],
            compartments: pair.iter().map(|one| one.compartment.clone()).collect(),
            silence_hours: None,
            articles: (0..share)
                .map(|at| Article {
                    number: at.to_string(),
                    says: String::new(),
                    purposes: vec![Purpose::CyberCrisis],
                    senders: Vec::new(),
                    recipients: Vec::new(),
                    max_level: Some(Level::Restricted),
                    max_tlp: None,
                    no_personal_data: false,
                    forbidden: false,
                })
                .collect(),
        });
    }
    Ok(Register::new(mous, directory)?)
}

fn measure(
    engine: &Engine,
    people: u32,
    agreements: u32,
    articles: u32,
    count: u32,
) -> Result<(), Failure> {
    let directory = Directory::new(1, participants(people)?, Vec::new())?;
    let register = mous(agreements, articles, &directory)?;
    let ids: Vec<_> = directory
        .participants()
        .iter()
        .map(|one| one.id.clone())
        .collect();
    let view = directory.at(NOW);
    let mut message = MessageMeta {
        id: MessageId::from_bytes([0; 16]),
        label: Label::of(Level::Restricted),
        asserted: None,
        label_state: LabelState::Valid,
        purpose: Some(Purpose::CyberCrisis),
        personal_data: Some(false),
        originator: Originator::Sender,
        forward: false,
        derived_from: Vec::new(),
        addressees: None,
        evaluated: true,
        portions: 0,
    };
    let mut permitted = 0;
    let start = Instant::now();
    for (number, pair) in (0..count).zip(ids.windows(2).cycle()) {
        let [from, to] = pair else { continue };
        message.label.level = if number.is_multiple_of(3) {
            Level::Confidential
        } else {
            Level::Nc
        };
        let release = Release {
            message: &message,
            sender: from,
            recipient: to,
            channel: None,
            consent: Consent::NotApplicable,
        };
        let derived = derive::facts(&release, &view, &register, &Thresholds::default())?;
        permitted += u32::from(engine.decide(&derived.facts).gates().is_empty());
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    println!(
        "{people:>6} participants {agreements:>4} MoUs {articles:>5} articles: {rate:>7.0}/s ({permitted} permitted)"
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let count = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 50_000,
    };
    let engine = Engine::shipped()?;
    for (people, agreements, articles) in [
        (10, 9, 0),
        (1_000, 500, 0),
        (1_000, 500, 500),
        (1_000, 500, 5_000),
        (10_000, 500, 5_000),
    ] {
        measure(&engine, people, agreements, articles, count)?;
    }
    Ok(())
}
