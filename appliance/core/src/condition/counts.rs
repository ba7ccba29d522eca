//! What happened since core started, counted from the log itself: what is not
//! recorded did not happen.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chancery_audit::{Event, EventKind, Key, Record};
use chancery_pipeline::ports::{Ledger, LedgerError};

use super::text::Text;

/// Leaves read at one time.
const PAGE: u32 = 1000;
/// Pages read for one answer: what is left is counted by the next.
const PAGES: usize = 100;

const RECEIVED: &str = "chancery_messages_received_total";
const DELIVERED: &str = "chancery_messages_delivered_total";
const QUARANTINED: &str = "chancery_messages_quarantined_total";
const MALFORMED: &str = "chancery_messages_malformed_total";
const REFUSED: &str = "chancery_door_refusals_total";
const VERDICTS: &str = "chancery_verdicts_total";
const GATES: &str = "chancery_gate_verdicts_total";
const EVENTS: &str = "chancery_log_events_total";

/// Each with its labels' names and what it says.
const ALL: [(&str, &[&str], &str); 8] = [
    (RECEIVED, &["channel"], "Messages that doors took in."),
    (
        DELIVERED,
        &["channel"],
        "Deliveries that the recipient has.",
    ),
    (QUARANTINED, &["channel"], "Messages kept for an officer."),
    (
        MALFORMED,
        &["channel"],
        "Bytes that are no message of their channel.",
    ),
    (
        REFUSED,
        &["channel"],
        "Peers refused at a door, or of nobody.",
    ),
    (VERDICTS, &["verdict"], "Decisions for one recipient each."),
    (
        GATES,
        &["gate", "verdict"],
        "Decisions in which a gate spoke.",
    ),
    (EVENTS, &["severity"], "Records of the log by their weight."),
];

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    counts: BTreeMap<(&'static str, Vec<String>), u64>,
}

impl State {
    fn add(&mut self, name: &'static str, labels: &[&str]) {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let count = self.counts.entry((name, labels)).or_default();
        *count = count.saturating_add(1);
    }

    fn count(&mut self, event: &Event) {
        self.add(EVENTS, &[event.kind.severity().name()]);
        let text = |key| event.details.get(key).and_then(|value| value.as_text());
        let channel = text(Key::Channel).unwrap_or("none");
        match event.kind {
            EventKind::MessageReceived => self.add(RECEIVED, &[channel]),
            EventKind::ReleaseCompleted => self.add(DELIVERED, &[channel]),
            EventKind::MessageQuarantined => self.add(QUARANTINED, &[channel]),
            EventKind::MessageMalformed => self.add(MALFORMED, &[channel]),
            EventKind::DoorRefused | EventKind::PeerUnknown => self.add(REFUSED, &[channel]),
            EventKind::ReleasePermitted => self.verdict("permit", event),
            EventKind::ReleaseHeld => self.verdict("review", event),
            EventKind::ReleaseRefused => self.verdict("refuse", event),
            _ => {}
        }
    }

    fn verdict(&mut self, verdict: &str, event: &Event) {
        self.add(VERDICTS, &[verdict]);
        let gates = event
            .details
            .get(Key::Gates)
            .and_then(|gates| gates.as_list());
        for gate in gates.unwrap_or_default() {
            self.add(GATES, &[gate, verdict]);
        }
    }
}

// === impl Counts ===

impl Counts {
    /// Counts from this record on.
    pub(crate) fn begin(&self, size: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next = size;
    }

    /// Counts what was recorded meanwhile.
    ///
    /// # Errors
    /// [`LedgerError`] when the log cannot be read.
    pub(crate) fn advance(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..PAGES {
            let leaves = ledger.leaves(state.next, PAGE)?;
            let Some(last) = leaves.last() else {
                break;
            };
            let next = last.seq + 1;
            for leaf in &leaves {
                // What cannot be read is for `chancery audit verify` to tell.
                if let Ok(record) = Record::parse(&leaf.record) {
                    state.count(&record.event);
                }
            }
            state.next = next;
        }
        Ok(())
    }

    /// Writes all counts.
    pub(crate) fn write(&self, text: &mut Text) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, labels, help) in ALL {
            text.counter(name, help);
            for ((_, words), count) in state.counts.iter().filter(|((of, _), _)| *of == name) {
                let pairs: Vec<(&str, &str)> = labels
                    .iter()
                    .copied()
                    .zip(words.iter().map(String::as_str))
                    .collect();
                text.value(name, &pairs, *count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chancery_audit::Actor;
    use chancery_message::Timestamp;

    use super::*;

    #[test]
    fn events_are_counted_by_channel_verdict_and_gate() {
        let counts = Counts::default();
        let event = |kind| Event::new(kind, Timestamp::from_micros(0), Actor::System);
        {
            let mut state = counts.0.lock().unwrap();
            state.count(&event(EventKind::MessageReceived).detail(Key::Channel, "rest"));
            state.count(&event(EventKind::MessageReceived).detail(Key::Channel, "rest"));
            state.count(&event(EventKind::ReleaseHeld).detail(Key::Gates, ["G12", "G14"]));
            state.count(&event(EventKind::ReleasePermitted));
            state.count(&event(EventKind::AlarmRaised));
        }
        let mut text = Text::default();
        counts.write(&mut text);
        let text = text.finish();
        for line in [
            "chancery_messages_received_total{channel=\"rest\"} 2",
            "chancery_log_events_total{severity=\"alarm\"} 1",
            "chancery_verdicts_total{verdict=\"review\"} 1",
            "chancery_verdicts_total{verdict=\"permit\"} 1",
            "chancery_gate_verdicts_total{gate=\"G12\",verdict=\"review\"} 1",
            "chancery_gate_verdicts_total{gate=\"G14\",verdict=\"review\"} 1",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
    }
}
