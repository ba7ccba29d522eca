//! Station 4: the label. Asserted ⊔ channel floor ⊔ markings found in the
//! content ⊔ the labels of its portions; it rises, it never falls (law 4).

use chancery_label::{Label, Level, ReadOptions};
use chancery_message::{AssertedLabel, LabelSource, Submission};

use crate::documents::LabelStanding;
use crate::stages::portions::{self, Portion, most_of_one_level, raise};

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
    /// How many portions are of the level that most of them have.
    pub portions: u32,
    /// The label of each attachment, in order; none where it has none of its own.
    pub attachments: Vec<Option<Label>>,
    /// The level of the text, then of each attachment.
    pub levels: Vec<Level>,
    /// The highest level found in the content.
    pub found: Option<Level>,
    /// Why an asserted label could not be read.
    pub problem: Option<String>,
}

/// Labels a submission. `floor` is the least label of what comes by that
/// channel from that sender; `options` says how its portion marks are
/// read.
///
/// A part with a label of its own raises the whole. A conflict is what only a
/// person can judge: content above its label, limits that share no recipient.
#[must_use]
pub fn label(submission: &Submission, floor: &Label, options: &ReadOptions) -> Labelled {
    // The text first, then the attachments: they are content too.
    let attached = submission.attachments.iter().enumerate();
    let parts: Vec<Portion> = std::iter::once(portions::text(submission, options))
        .chain(attached.map(|(at, one)| portions::attachment(one, at + 1, options)))
        .collect();
    let marks = || parts.iter().flat_map(|part| &part.marks);
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
    let mut others = vec![floor.clone()];
    for part in &parts {
        others.extend(part.label.clone());
        others.extend(part.inside());
    }
    let (joined, disjoint) = raise(&base, &others);
    // A part with a label of its own is measured by that one.
    let conflict = parts
        .iter()
        .any(|part| part.is_doubtful || (part.label.is_none() && part.contradicts(&base)));
    let unread = parts.iter().find_map(|part| part.problem.clone());
    let standing = match standing {
        LabelStanding::Valid if unread.is_some() => LabelStanding::Invalid,
        LabelStanding::Valid if conflict || disjoint => LabelStanding::Conflict,
        other => other,
    };
    let own = base.level.max(floor.level);
    Labelled {
        label: joined,
        asserted,
        source,
        standing,
        portions: most_of_one_level(&parts),
        levels: parts.iter().map(|part| part.level(own)).collect(),
        found: marks().filter_map(|mark| mark.level).max(),
        problem: problem.or(unread),
        attachments: parts.into_iter().skip(1).map(|part| part.label).collect(),
    }
}

#[cfg(test)]
mod tests {
    use chancery_label::Tlp;
    use chancery_message::{
        Attachment, AttachmentContent, Intent, Precedence, SignatureEvidence, Text,
    };

    use super::*;

    fn label(submission: &Submission, floor: &Label) -> Labelled {
        let today = chancery_message::Timestamp::parse("2026-11-22T09:00:00Z").expect("a time");
        let options = ReadOptions {
            country: None,
            on: today.date().expect("a day"),
        };
        super::label(submission, floor, &options)
    }

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
            protection: None,
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

    fn limited(level: Level, codes: &[&str]) -> Label {
        Label {
            releasable_to: codes.iter().map(|c| c.parse().expect("code")).collect(),
            ..Label::of(level)
        }
    }

    fn with(whole: AssertedLabel, body: &str, parts: Vec<AssertedLabel>) -> Submission {
        let mut made = submission(whole, "x", body);
        made.attachments = parts
            .into_iter()
            .map(|label| Attachment {
                name: Text::new("a.bin"),
                media_type: "application/octet-stream".to_owned(),
                label,
                content: AttachmentContent::Uploaded("id".to_owned()),
            })
            .collect();
        made
    }

    fn valid(label: Label) -> AssertedLabel {
        AssertedLabel::Valid {
            label,
            source: LabelSource::Field,
        }
    }

    #[test]
    fn a_label_of_an_attachment_raises_the_whole() {
        let parts = vec![
            AssertedLabel::Absent,
            valid(limited(Level::Confidential, &["FRA", "DEU"])),
            valid(Label {
                tlp: Some(Tlp::Amber),
                ..limited(Level::Restricted, &["EU"])
            }),
        ];
        let made = with(asserted(Level::Restricted), "y", parts);
        let made = label(&made, &Label::default());
        assert_eq!(made.standing, LabelStanding::Valid);
        let whole = Label {
            tlp: Some(Tlp::Amber),
            ..limited(Level::Confidential, &["FRA", "DEU"])
        };
        assert_eq!(made.label, whole);
        assert_eq!(made.attachments[0], None);
        let level = |at: usize| made.attachments[at].as_ref().map(|label| label.level);
        assert_eq!(level(1), Some(Level::Confidential));
        assert_eq!(level(2), Some(Level::Restricted));
        let codes: Vec<_> = made.levels.iter().map(|level| level.code()).collect();
        assert_eq!(codes, ["R-UE", "R-UE", "C-UE", "R-UE"]);
        assert_eq!(made.portions, 1);
    }

    #[test]
    fn a_whole_above_its_parts_stays() {
        let parts = vec![asserted(Level::Nc), asserted(Level::Restricted)];
        let made = with(asserted(Level::Secret), "y", parts);
        let made = label(&made, &Label::default());
        assert_eq!(made.label, Label::of(Level::Secret));
        assert_eq!(made.standing, LabelStanding::Valid);
        assert_eq!(made.attachments[0], Some(Label::of(Level::Nc)));
    }

    #[test]
    fn parts_that_share_no_recipient_are_for_an_officer() {
        let parts = vec![
            valid(limited(Level::Nc, &["FRA"])),
            valid(limited(Level::Nc, &["SWE"])),
        ];
        let made = label(&with(asserted(Level::Nc), "y", parts), &Label::default());
        assert_eq!(made.standing, LabelStanding::Conflict);
        assert_eq!(made.label, limited(Level::Nc, &["FRA"]));
    }

    #[test]
    fn a_label_of_an_attachment_that_cannot_be_read_is_told() {
        let bad = AssertedLabel::Invalid {
            reason: "why".to_owned(),
            source: LabelSource::Field,
        };
        let made = with(
            asserted(Level::Secret),
            "y",
            vec![AssertedLabel::Absent, bad],
        );
        let made = label(&made, &Label::default());
        assert_eq!(made.standing, LabelStanding::Invalid);
        assert_eq!(made.problem.as_deref(), Some("attachment 2: why"));
    }

    #[test]
    fn portion_marks_join_with_all_that_they_say() {
        let text = "(R-UE/EU-R) One.\n\n(R-UE/EU-R RELEASABLE TO FRA) Two.\n\n(NC) Three.\n";
        let made = with(asserted(Level::Restricted), text, Vec::new());
        let made = label(&made, &Label::default());
        // Narrower than the label: an officer looks, and nobody else gets it.
        assert_eq!(made.label, limited(Level::Restricted, &["FRA"]));
        assert_eq!(made.standing, LabelStanding::Conflict);
        assert_eq!(made.portions, 2);
        let covering = valid(limited(Level::Restricted, &["FRA"]));
        let made = label(&with(covering, text, Vec::new()), &Label::default());
        assert_eq!(made.standing, LabelStanding::Valid);
    }

    #[test]
    fn a_portion_mark_that_is_none_is_for_an_officer() {
        let made = with(asserted(Level::Secret), "(R-UE FOO) One.\n", Vec::new());
        let made = label(&made, &Label::default());
        assert_eq!(made.standing, LabelStanding::Conflict);
    }
}
