//! Decisions: whole ones (facts derived and decided) as directory, MoUs and
//! articles grow, and past decisions replayed, per second of one core. Designed
//! for 20,000 decisions a second at 500 MoUs, a cost that grows by less than a
//! factor of 2 from 10 to 10,000 participants, and 100,000 replayed in 10 s.

use std::error::Error;
use std::time::Duration;

use chancery_label::{Label, Level};
use chancery_message::{Community, MessageId, ParticipantId, ParticipantKind, Purpose, Timestamp};
use chancery_policy::derive::{self, MessageMeta, Originator, Release, Thresholds};
use chancery_policy::directory::{Approval, Directory, Fingerprint, Participant, TlsEntry};
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Consent, Country, LabelState};
use chancery_policy::mou::{Article, Mou, Register, Standing};
use chancery_policy::replay::Replay;

use crate::measure::row;
use crate::random::{Random, facts};

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

pub(crate) fn run(_arguments: &[String]) {
    let engine = Engine::shipped().unwrap();
    bulk(&engine);
    replay(&engine);
    let sizes = [
        (10, 9, 0),
        (1_000, 500, 0),
        (1_000, 500, 500),
        (1_000, 500, 5_000),
        (10_000, 500, 0),
        (10_000, 500, 500),
        (10_000, 500, 5_000),
    ];
    let spent: Vec<Duration> = sizes
        .iter()
        .map(|(people, agreements, articles)| {
            whole(&engine, *people, *agreements, *articles).unwrap()
        })
        .collect();
    let (few, many) = (spent.first().unwrap(), spent.last().unwrap());
    println!(
        "from 10 to 10,000 participants the cost of a decision grows by a factor of {:.2}",
        many.as_secs_f64() / few.as_secs_f64()
    );
}

/// Random facts as JSON lines, as `chancery policy decide` reads them.
fn bulk(engine: &Engine) {
    let lines = lines();
    let mut all = lines.iter().cycle();
    row("facts as JSON lines", || {
        all.next().map(|line| engine.decide_line(line))
    });
}

/// Past decisions, run again under a set with one rule more.
fn replay(engine: &Engine) {
    let rule = "@gate(\"L01\")\n@effect(\"review\")\n@rule(\"RED is looked at\")\nforbid (principal, action, resource)\nwhen { context.tlp == Tlp::\"RED\" };\n";
    let texts = chancery_policy::PolicyTexts::shipped().with("95-red.cedar", rule);
    let new = Engine::load(&texts).unwrap();
    let lines: Vec<String> = lines()
        .into_iter()
        .map(|facts| {
            let answer = engine.decide_line(&facts);
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            format!(
                "{{\"at\":\"2026-03-01T12:00:00Z\",\"from\":\"a\",\"to\":\"b\",\"verdict\":{},\"gates\":{},\"policy\":\"\",\"facts\":{facts}}}",
                answer["verdict"], answer["gates"]
            )
        })
        .collect();
    let mut running = Replay {
        new: &new,
        old: engine,
        agreements: None,
        since: None,
    }
    .begin();
    let mut all = lines.iter().cycle();
    let each = row("past decisions replayed", || {
        all.next().map(|line| running.line(line).unwrap())
    });
    println!(
        "100,000 past decisions in {:.1} s of one core",
        each.as_secs_f64() * 100_000.0
    );
}

fn lines() -> Vec<String> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    (0..50_000)
        .map(|number| facts(&format!("N{number}"), &mut random, number % 2 == 0))
        .collect()
}

/// Whole decisions between neighbours, each in its turn.
fn whole(
    engine: &Engine,
    people: u32,
    agreements: u32,
    articles: u32,
) -> Result<Duration, Failure> {
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
    let mut number = 0u32;
    let mut pairs = ids.windows(2).cycle();
    let name = format!("{people} participants, {agreements} MoUs, {articles} articles");
    Ok(row(&name, || {
        let Some([from, to]) = pairs.next() else {
            return None;
        };
        number += 1;
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
        let derived = derive::facts(&release, &view, &register, &Thresholds::default()).ok()?;
        Some(engine.decide(&derived.facts).gates().is_empty())
    }))
}
