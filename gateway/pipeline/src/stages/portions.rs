//! Station 4, part by part: paragraphs with portion marks and attachments with
//! labels of their own. The whole is at least their join (Council Decision
//! 2013/488/EU, Annex III, points 6 and 7).

use chancery_label::found::{self, FoundMarking};
use chancery_label::{Label, Level, ReadOptions, portions};
use chancery_message::{AssertedLabel, Attachment, AttachmentContent, Submission};

/// What one part says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Portion {
    /// Its label: as asserted, raised by what stands in it. None where it has none.
    pub(crate) label: Option<Label>,
    /// Markings found in it.
    pub(crate) marks: Vec<FoundMarking>,
    /// What its portion marks say, in order.
    pub(crate) paragraphs: Vec<Label>,
    /// Only a person can judge it: a portion mark that is none, or content
    /// above its own label.
    pub(crate) is_doubtful: bool,
    /// Why its label could not be read.
    pub(crate) problem: Option<String>,
}

/// What the text says, subject and body.
pub(crate) fn text(submission: &Submission, options: &ReadOptions) -> Portion {
    let body = submission.body.expose();
    let mut portion = Portion {
        marks: found::scan_message(submission.subject.expose(), body),
        ..Portion::default()
    };
    portion.read(body, options);
    portion
}

/// What an attachment says: its label, its name, and its text if it is one.
/// `number` is its place, from 1, for words.
pub(crate) fn attachment(attachment: &Attachment, number: usize, options: &ReadOptions) -> Portion {
    let mut portion = Portion {
        marks: found::scan_subject(attachment.name.expose()),
        ..Portion::default()
    };
    if let AttachmentContent::Inline(bytes) = &attachment.content
        && attachment.media_type.starts_with("text/")
        && let Ok(text) = std::str::from_utf8(bytes.expose())
    {
        portion.marks.extend(found::scan(text));
        portion.read(text, options);
    }
    match &attachment.label {
        AssertedLabel::Absent => {}
        AssertedLabel::Invalid { reason, .. } => {
            portion.problem = Some(format!("attachment {number}: {reason}"));
        }
        AssertedLabel::Valid { label, .. } => {
            let (raised, disjoint) = raise(label, &portion.inside());
            portion.is_doubtful |= disjoint || portion.contradicts(label);
            portion.label = Some(raised);
        }
    }
    portion
}

/// How many portions are of the level that most of them have; 0 without
/// portions.
pub(crate) fn most_of_one_level(parts: &[Portion]) -> u32 {
    let mut counts = [0_u32; Level::ALL.len()];
    let labels = parts
        .iter()
        .flat_map(|part| part.paragraphs.iter().chain(&part.label));
    for label in labels {
        if let Some(count) = counts.get_mut(usize::from(label.level.rank())) {
            *count += 1;
        }
    }
    counts.into_iter().max().unwrap_or_default()
}

/// Joins what can be joined. Where releasabilities share nobody the first one
/// stays and the caller is told: that is a conflict for an officer.
pub(crate) fn raise(base: &Label, others: &[Label]) -> (Label, bool) {
    if let Ok(whole) = portions::whole(base, others) {
        return (whole, false);
    }
    let mut label = base.clone();
    for other in others {
        let unlimited = || Label {
            releasable_to: std::collections::BTreeSet::new(),
            ..other.clone()
        };
        // Without a limit on one side there is always a common recipient.
        if let Ok(joined) = label.join(other).or_else(|_| label.join(&unlimited())) {
            label = joined;
        }
    }
    (label, true)
}

// === impl Portion ===

impl Portion {
    fn read(&mut self, text: &str, options: &ReadOptions) {
        match portions::read(text, options) {
            Ok(paragraphs) => {
                self.paragraphs = paragraphs.into_iter().map(|one| one.label).collect();
            }
            // What it may mean at most is among the markings found.
            Err(_) => self.is_doubtful = true,
        }
    }

    /// What stands in it, each with its own label.
    pub(crate) fn inside(&self) -> Vec<Label> {
        let mut all = vec![found::least(&self.marks)];
        all.extend(self.paragraphs.iter().cloned());
        all
    }

    /// True if what stands in it is above this label.
    pub(crate) fn contradicts(&self, label: &Label) -> bool {
        found::conflicts(label, &self.marks) || !portions::covers(label, &self.paragraphs)
    }

    /// Its level, where nothing in it says more than `own`.
    pub(crate) fn level(&self, own: Level) -> Level {
        let inside = self.inside().iter().map(|label| label.level).max();
        let said = self.label.as_ref().map_or(own, |label| label.level);
        said.max(inside.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use chancery_message::{Content, LabelSource, Text};

    use super::*;

    fn today() -> ReadOptions {
        let now = chancery_message::Timestamp::parse("2026-11-22T09:00:00Z").expect("a time");
        ReadOptions {
            country: None,
            on: now.date().expect("a day"),
        }
    }

    fn attached(label: Option<Label>, text: &str) -> Attachment {
        Attachment {
            name: Text::new("annex.txt"),
            media_type: "text/plain".to_owned(),
            label: label.map_or(AssertedLabel::Absent, |label| AssertedLabel::Valid {
                label,
                source: LabelSource::Field,
            }),
            content: AttachmentContent::Inline(Content::new(text.as_bytes().to_vec())),
        }
    }

    #[test]
    fn an_attachments_content_raises_its_label_and_is_doubtful() {
        let own = Label::of(Level::Restricted);
        let calm = attachment(&attached(Some(own.clone()), "Fictitious."), 1, &today());
        assert_eq!(calm.label, Some(own.clone()));
        assert!(!calm.is_doubtful);
        let text = "(C-UE/EU-C) Fictitious.\n\n(R-UE/EU-R) Fictitious.\n";
        let above = attachment(&attached(Some(own), text), 1, &today());
        assert_eq!(above.label, Some(Label::of(Level::Confidential)));
        assert!(above.is_doubtful);
        assert_eq!(most_of_one_level(&[above]), 2);
    }

    #[test]
    fn a_portion_mark_that_is_none_is_doubtful() {
        let part = attachment(&attached(None, "(R-UE FOO) Fictitious.\n"), 1, &today());
        assert!(part.is_doubtful);
        assert_eq!(part.level(Level::Nc), Level::Restricted);
    }

    #[test]
    fn limits_that_share_nobody_stay_narrow() {
        let limited = |level, code: &str| Label {
            releasable_to: [code.parse().expect("code")].into(),
            ..Label::of(level)
        };
        let base = limited(Level::Restricted, "FRA");
        let (joined, disjoint) = raise(&base, &[limited(Level::Confidential, "DEU")]);
        assert!(disjoint);
        assert_eq!(joined.level, Level::Confidential);
        assert_eq!(joined.releasable_to, base.releasable_to);
        // A limit that only parts have is not lost where the parts disagree.
        let parts = [limited(Level::Nc, "FRA"), limited(Level::Nc, "DEU")];
        let (joined, disjoint) = raise(&Label::default(), &parts);
        assert!(disjoint);
        assert_eq!(joined.releasable_to, base.releasable_to);
    }
}
