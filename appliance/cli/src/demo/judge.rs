//! Whether a message ended as it should. The log is asked, not the sender.

use chancery_audit::{EventKind, Key, Record};

use super::post::Told;
use super::stories::{Expect, Story};

/// What is not as it should be.
pub(super) fn judge(story: &Story, told: &Told) -> Vec<String> {
    let mut faults = Vec::new();
    match story.expect {
        Expect::Delivered => {
            decided(&told.records, EventKind::ReleasePermitted, &[], &mut faults);
            delivered(told, &mut faults);
        }
        Expect::Refused(gates) => refused(&told.records, gates, &mut faults),
        Expect::ApprovedAfter(gates) => {
            decided(&told.records, EventKind::ReleaseHeld, gates, &mut faults);
            let votes = count(&told.records, EventKind::ReviewVoted);
            if votes < 2 {
                faults.push(format!("{votes} votes are recorded instead of two"));
            }
            delivered(told, &mut faults);
        }
        Expect::LabelledThenDelivered => {
            if count(&told.records, EventKind::MessageQuarantined) == 0 {
                faults.push("it was not kept for an officer".to_owned());
            }
            delivered(told, &mut faults);
        }
        Expect::ForwardRefused(gates) => {
            delivered(told, &mut faults);
            refused(&told.onward, gates, &mut faults);
        }
    }
    if told.signature_good == Some(false) {
        faults.push("gpg does not call the gateway's signature good".to_owned());
    }
    faults
}

fn delivered(told: &Told, faults: &mut Vec<String>) {
    if !told.arrived {
        faults.push("its text did not arrive".to_owned());
    }
    if count(&told.records, EventKind::ReleaseOpened) == 0 {
        faults.push("its opening is not recorded".to_owned());
    }
    match count(&told.records, EventKind::ReleaseCompleted) {
        1 => {}
        n => faults.push(format!("its delivery is recorded {n} times")),
    }
}

fn refused(records: &[Record], gates: &[&str], faults: &mut Vec<String>) {
    decided(records, EventKind::ReleaseRefused, gates, faults);
    if count(records, EventKind::ReleaseOpened) > 0 {
        faults.push("it was opened though it was refused".to_owned());
    }
}

/// The decision of that kind is there, with exactly these gates.
fn decided(records: &[Record], kind: EventKind, gates: &[&str], faults: &mut Vec<String>) {
    let Some(record) = records.iter().find(|record| record.event.kind == kind) else {
        faults.push(format!("{} is not recorded", kind.name()));
        return;
    };
    let found = gates_of(record);
    if found != gates {
        faults.push(format!(
            "the gates were {} instead of {}",
            words(&found),
            words(gates)
        ));
    }
}

fn words<T: AsRef<str>>(gates: &[T]) -> String {
    if gates.is_empty() {
        return "none".to_owned();
    }
    gates
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The gates of a decision's record.
pub(super) fn gates_of(record: &Record) -> Vec<String> {
    let said = record
        .event
        .details
        .get(Key::Gates)
        .map(ToString::to_string)
        .unwrap_or_default();
    said.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with('G') && word.len() == 3)
        .map(str::to_owned)
        .collect()
}

fn count(records: &[Record], kind: EventKind) -> usize {
    records
        .iter()
        .filter(|record| record.event.kind == kind)
        .count()
}
