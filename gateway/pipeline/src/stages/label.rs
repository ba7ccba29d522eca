//! Station 4: the label. Asserted ⊔ channel floor ⊔ markings found in the
//! content; it rises, it never falls (law 4).

use chancery_label::{Label, Level, found};
use chancery_message::{AssertedLabel, LabelSource, Submission};

use crate::documents::LabelStanding;

/// The label stage's finding about one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The effective label; where there is a conflict, the higher reading.
    pub label: Label,
    /// The label as asserted, where one could be read.
    pub asserted: Option<Label>,
    /// Where it stood.
    pub source: Option<LabelSource>,
    /// Its worth.
    pub standing: LabelStanding,
    /// Number of portions and lines that bear a level of their own.
    pub portions: u32,
    /// The highest level found in the content.
    pub found: Option<Level>,
    /// Why an asserted label could not be read.
    pub problem: Option<String>,
}

/// Labels a submission. `floor` is the least label of what comes by that
/// channel from that sender.
#[must_use]
pub fn label(submission: &Submission, floor: &Label) -> Labelled {
    let marks = found::scan_message(submission.subject.expose(), submission.body.expose());
    // Textual attachments are content too: a marking in one binds the whole.
    let attached = submission.attachments.iter().flat_map(|attachment| {
        let name = found::scan_subject(attachment.name.expose());
        let text = match &attachment.content {
            chancery_message::AttachmentContent::Inline(bytes)
                if attachment.media_type.starts_with("text/") =>
            {
                std::str::from_utf8(bytes.expose())
                    .map(found::scan)
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        };
        name.into_iter().chain(text)
    });
    let marks: Vec<_> = marks.into_iter().chain(attached).collect();
    let highest = found::highest(&marks);
    let portions =
        u32::try_from(marks.iter().filter(|mark| mark.level.is_some()).count()).unwrap_or(u32::MAX);
    let in_content = found::least(&marks);

    let (asserted, source, standing, problem) = match &submission.label {
        AssertedLabel::Valid { label, source } => (
            Some(label.clone()),
            Some(*source),
            LabelStanding::Valid,
            None,
        ),
        AssertedLabel::Absent => (None, None, LabelStanding::Missing, None),
        AssertedLabel::Invalid { reason, source } => (
            None,
            Some(*source),
            LabelStanding::Invalid,
            Some(reason.clone()),
        ),
    };
    let base = asserted.clone().unwrap_or_default();
    let conflict = asserted
        .as_ref()
        .is_some_and(|label| found::conflicts(label, &marks));
    let (joined, disjoint) = join_all(&base, &[floor, &in_content]);
    let standing = match standing {
        LabelStanding::Valid if conflict || disjoint => LabelStanding::Conflict,
        other => other,
    };
    Labelled {
        label: joined,
        asserted,
        source,
        standing,
        portions,
        found: highest,
        problem,
    }
}

/// Joins what can be joined. Where releasabilities share nobody the first one
/// stays and the caller is told: that is a conflict for an officer.
fn join_all(base: &Label, others: &[&Label]) -> (Label, bool) {
    let mut label = base.clone();
    let mut disjoint = false;
    for other in others {
        match label.join(other) {
            Ok(joined) => label = joined,
            Err(_) => {
                disjoint = true;
                let unlimited = Label {
                    releasable_to: std::collections::BTreeSet::new(),
                    ..(*other).clone()
                };
                if let Ok(joined) = label.join(&unlimited) {
                    label = joined;
                }
            }
        }
    }
    (label, disjoint)
}

#[cfg(test)]
mod tests {
    use chancery_label::Tlp;
    use chancery_message::{Intent, Precedence, SignatureEvidence, Text};

    use super::*;

    fn submission(label: AssertedLabel, subject: &str, body: &str) -> Submission {
        Submission {
            intent: Intent::Send,
            claimed_sender: None,
            recipients: Vec::new(),
            subject: Text::new(subject),
            body: Text::new(body),
            attachments: Vec::new(),
            label,
            signature: SignatureEvidence::Absent,
            precedence: Precedence::Routine,
            purpose: None,
            personal_data: None,
            originator: None,
            derived_from: Vec::new(),
            reference: None,
            in_reply_to: None,
            evaluation: None,
            external_id: None,
            siena: None,
        }
    }

    fn asserted(level: Level) -> AssertedLabel {
        AssertedLabel::Valid {
            label: Label::of(level),
            source: LabelSource::Field,
        }
    }

    #[test]
    fn a_plain_label_stays() {
        let made = label(
            &submission(asserted(Level::Restricted), "x", "y"),
            &Label::default(),
        );
        assert_eq!(made.label, Label::of(Level::Restricted));
        assert_eq!(made.standing, LabelStanding::Valid);
    }

    #[test]
    fn the_floor_raises() {
        let made = label(
            &submission(asserted(Level::Nc), "x", "y"),
            &Label::of(Level::Restricted),
        );
        assert_eq!(made.label.level, Level::Restricted);
        assert_eq!(made.standing, LabelStanding::Valid);
    }

    #[test]
    fn a_higher_marking_in_the_text_conflicts_and_raises() {
        let text = "SECRET UE/EU SECRET\n\nFictitious.";
        let made = label(
            &submission(asserted(Level::Restricted), "x", text),
            &Label::default(),
        );
        assert_eq!(made.label.level, Level::Secret);
        assert_eq!(made.standing, LabelStanding::Conflict);
    }

    #[test]
    fn tlp_in_the_subject_counts() {
        let made = label(
            &submission(asserted(Level::Nc), "TLP:RED incident", "y"),
            &Label::default(),
        );
        assert_eq!(made.label.tlp, Some(Tlp::Red));
        assert_eq!(made.standing, LabelStanding::Conflict);
    }

    #[test]
    fn a_caveat_of_the_text_conflicts_and_stays() {
        let made = label(
            &submission(asserted(Level::Nc), "x", "LIMITE\n\nFictitious."),
            &Label::default(),
        );
        assert_eq!(made.label.caveats, [chancery_label::Caveat::Limite].into());
        assert_eq!(made.standing, LabelStanding::Conflict);
    }

    #[test]
    fn no_label_is_missing_and_still_protected_by_what_was_found() {
        let made = label(
            &submission(
                AssertedLabel::Absent,
                "x",
                "RESTREINT UE/EU RESTRICTED\n\ny",
            ),
            &Label::default(),
        );
        assert_eq!(made.standing, LabelStanding::Missing);
        assert_eq!(made.label.level, Level::Restricted);
    }

    #[test]
    fn disjoint_releasabilities_conflict_and_stay_narrow() {
        let base = Label {
            releasable_to: ["FRA".parse().expect("code")].into(),
            ..Label::of(Level::Restricted)
        };
        let floor = Label {
            releasable_to: ["DEU".parse().expect("code")].into(),
            ..Label::of(Level::Confidential)
        };
        let (joined, disjoint) = join_all(&base, &[&floor]);
        assert!(disjoint);
        assert_eq!(joined.level, Level::Confidential);
        assert_eq!(joined.releasable_to, base.releasable_to);
    }
}
