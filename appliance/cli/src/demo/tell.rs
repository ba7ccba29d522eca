//! What a person sees.

use std::path::Path;

use chancery_audit::verify::Report;
use chancery_audit::{EventKind, Key, Record};
use serde_json::{Value, json};

use super::post::Told;
use super::stories::Story;
use super::world::World;
use crate::failure::Failure;
use crate::out::line;

pub(super) fn welcome(root: &Path) -> Result<(), Failure> {
    line("A Chancery gateway with example participants, real keys and real messages.")?;
    line(format_args!("Everything is in {}\n", root.display()))
}

/// A story whose channels are not shown.
pub(super) fn left_out(story: &Story) -> Result<(), Failure> {
    line(format_args!(
        "\n    (left out: {}, {} to {})",
        story.name, story.from, story.to
    ))
}

/// One message's way.
pub(super) fn story(
    number: usize,
    story: &Story,
    told: &Told,
    faults: &[String],
) -> Result<(), Failure> {
    let label = story.label.map_or("no label".to_owned(), |label| {
        let mut words = label.marking.to_owned();
        if let Some(tlp) = label.tlp {
            words.push_str(&format!(", TLP:{tlp}"));
        }
        for code in label.handling {
            words.push_str(&format!(", {code}"));
        }
        words
    });
    line(format_args!(
        "\n{number:>2}. {}: {} ({}) to {} ({}), {label}",
        story.name, story.from, story.by, story.to, story.arrives_by
    ))?;
    line(format_args!("    {}", story.shows))?;
    stations(&told.records)?;
    if !told.onward.is_empty() {
        line("      passed on by its recipient:")?;
        stations(&told.onward)?;
    }
    if told.signature_good == Some(true) {
        line("      gpg opened it and calls the gateway's signature good")?;
    }
    if faults.is_empty() {
        return line("    as the rules say");
    }
    faults
        .iter()
        .try_for_each(|fault| line(format_args!("    NOT AS IT SHOULD BE: {fault}")))
}

/// The stations of the way, each with what was decided there and why.
fn stations(records: &[Record]) -> Result<(), Failure> {
    let Some(first) = records.first() else {
        return line("      the log says nothing");
    };
    for record in records {
        let event = &record.event;
        let after = event.at.since(first.event.at).as_secs_f64() * 1000.0;
        let said: Vec<String> = shown(event.kind)
            .iter()
            .filter_map(|key| Some((key, event.details.get(*key)?.to_string())))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        line(format_args!(
            "      {after:>7.0} ms  {:<24} {}",
            event.kind.name(),
            said.join(", ")
        ))?;
    }
    Ok(())
}

/// What is worth a look at each station.
const fn shown(kind: EventKind) -> &'static [Key] {
    match kind {
        EventKind::MessageReceived => &[Key::Channel, Key::Zone, Key::Bytes],
        EventKind::MessageParsed => &[Key::Parts, Key::Signature],
        EventKind::OriginatorAuthenticated => &[Key::Sender, Key::Proof],
        EventKind::LabelAssigned | EventKind::LabelRaised | EventKind::LabelConflict => {
            &[Key::Effective, Key::Asserted, Key::Source]
        }
        EventKind::MessageSealed => &[Key::Kek],
        EventKind::MessageRegistered => &[Key::Registration],
        EventKind::MessageQuarantined => &[Key::Rule, Key::Stage],
        EventKind::ReleasePermitted => &[Key::Recipient, Key::Mou, Key::Obligations],
        EventKind::ReleaseHeld | EventKind::ReleaseRefused => {
            &[Key::Recipient, Key::Gates, Key::Quorum]
        }
        EventKind::ReviewVoted => &[Key::Officer, Key::Vote],
        EventKind::ReleaseOpened => &[Key::Recipient, Key::Permit, Key::Channel],
        EventKind::ReleaseCompleted => &[Key::Recipient, Key::Outcome],
        _ => &[Key::Officer, Key::Outcome, Key::Reason],
    }
}

/// One message for machines.
pub(super) fn as_json(story: &Story, told: &Told, faults: &[String]) -> Value {
    let records = |records: &[Record]| -> Vec<Value> {
        records
            .iter()
            .filter_map(|record| serde_json::from_slice(&record.encode()).ok())
            .collect()
    };
    json!({
        "message": told.message, "name": story.name, "from": story.from, "by": story.by, "to": story.to,
        "arrives_by": story.arrives_by, "arrived": told.arrived, "signature_good": told.signature_good,
        "as_it_should": faults.is_empty(), "faults": faults, "records": records(&told.records),
        "onward": records(&told.onward),
    })
}

pub(super) fn end(
    messages: usize,
    wrong: &[String],
    report: &Report,
    clean: bool,
) -> Result<(), Failure> {
    line("")?;
    if wrong.is_empty() {
        line(format_args!(
            "All {messages} messages ended as the rules say."
        ))?;
    } else {
        line(format_args!(
            "{} things are not as they should be:",
            wrong.len()
        ))?;
        wrong
            .iter()
            .try_for_each(|fault| line(format_args!("  {fault}")))?;
    }
    if report.is_sound() {
        line(format_args!(
            "The log was exported and verified offline: {} records, {} signed checkpoints.",
            report.size, report.checkpoints
        ))?;
    }
    if clean {
        line("No text of any message stands in any file of the node, nor in its log lines.")?;
    }
    Ok(())
}

/// What to try next.
pub(super) fn next(world: &World) -> Result<(), Failure> {
    let people = world.root.join("people");
    let people = people.display();
    let node = &world.places;
    let officers = node.officers();
    let officers = officers.display();
    line("\nThe node runs until Ctrl-C. In another terminal:")?;
    line(format_args!(
        "  chancery recipients --profile {people}/cert-eu/cert-eu-rest.toml"
    ))?;
    line(format_args!(
        "  echo hello | chancery send - --to csirt-alpha --label UNCLASSIFIED --subject hello --no-personal-data \\\n    --profile {people}/cert-eu/cert-eu-rest.toml"
    ))?;
    line(format_args!(
        "  chancery inbox --profile {people}/csirt-alpha/csirt-alpha-rest.toml"
    ))?;
    line(format_args!(
        "  chancery review list --config {} --officer anna --key {officers}/anna.key --passphrase-file {officers}/passphrase",
        node.config().display()
    ))?;
    line(format_args!(
        "  chancery audit verify {people}/auditor/log.export --log-key {}",
        node.audit_key().display()
    ))
}
