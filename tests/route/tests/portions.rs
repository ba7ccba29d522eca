//! Parts with labels of their own: the whole is at least their join, each part
//! keeps its own, and what would be left without one is told.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_audit::{EventKind, Key};
use chancery_label::{Label, Level};
use chancery_message::{
    AssertedLabel, Attachment, AttachmentContent, Channel, Content, Intent, LabelSource, Purpose,
    Submission, Text,
};
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict, Verdicts};
use chancery_route::{World, message};

fn attached(name: &str, label: AssertedLabel) -> Attachment {
    Attachment {
        name: Text::new(name),
        media_type: "application/octet-stream".to_owned(),
        label,
        content: AttachmentContent::Inline(Content::new(b"fictitious".to_vec())),
    }
}

fn valid(label: Label) -> AssertedLabel {
    AssertedLabel::Valid {
        label,
        source: LabelSource::Field,
    }
}

fn restricted() -> Label {
    Label::of(Level::Restricted)
}

/// An unclassified text, one file that says nothing and one with a label.
fn mixed(to: &str, label: AssertedLabel) -> Submission {
    let mut submission = message(&[to], Level::Nc);
    submission.purpose = Some(Purpose::CyberCrisis);
    submission.attachments = vec![
        attached("plain.bin", AssertedLabel::Absent),
        attached("marked.bin", label),
    ];
    submission
}

/// What a recipient sees of the parts.
fn seen(world: &World, verdicts: &Verdicts) -> (Label, Vec<Option<Label>>) {
    let row = &world.deliveries(verdicts)[0];
    let released = world.fetch(row).expect("released");
    let view = released.view(&world.gateway, true).expect("opened");
    let parts = view.attachments.iter().map(|one| one.label.clone());
    (view.label, parts.collect())
}

#[test]
fn an_attachments_label_raises_the_whole_and_stays_its_own() {
    let world = World::new();
    let sent = world.accepted(
        "cert-eu",
        Channel::Rest,
        mixed("csirt-alpha", valid(restricted())),
    );
    assert_eq!(sent.label, restricted());
    assert_eq!(sent.recipients[0].verdict, Verdict::Permit, "{sent:?}");
    let raised = world
        .records()
        .into_iter()
        .find(|event| event.kind == EventKind::LabelRaised)
        .expect("told");
    let told = |key| raised.details.get(key).and_then(|value| value.as_text());
    assert_eq!(told(Key::Asserted), Some("UNCLASSIFIED"));
    assert_eq!(told(Key::Effective), Some("RESTREINT UE/EU RESTRICTED"));
    assert_eq!(
        seen(&world, &sent),
        (restricted(), vec![None, Some(restricted())])
    );
}

#[test]
fn parts_that_are_passed_on_keep_their_labels() {
    let world = World::new();
    let own = Label::of(Level::Nc);
    let sent = world.accepted(
        "cert-eu",
        Channel::Rest,
        mixed("csirt-alpha", valid(own.clone())),
    );
    assert_eq!(seen(&world, &sent).1, [None, Some(own.clone())]);
    let mut forward = mixed("cert-eu", valid(own.clone()));
    forward.label = AssertedLabel::Absent;
    forward.intent = Intent::Forward {
        of: world.deliveries(&sent)[0].id.to_string(),
    };
    let passed = world.accepted("csirt-alpha", Channel::Rest, forward);
    assert_eq!(passed.recipients[0].verdict, Verdict::Permit, "{passed:?}");
    // The forwarder's own first.
    let marked = Some(own);
    assert_eq!(
        seen(&world, &passed).1,
        [None, marked.clone(), None, marked]
    );
}

#[test]
fn what_could_go_without_a_part_is_told() {
    let world = World::new();
    let mut submission = mixed("europol-ec3", valid(Label::of(Level::Confidential)));
    submission.label = valid(restricted());
    submission.intent = Intent::Check;
    let checked = match world.submit("cert-eu", Channel::Rest, submission) {
        Ok(Outcome::Checked(checked)) => checked,
        other => panic!("not checked: {other:?}"),
    };
    assert_eq!(checked.recipients[0].verdict, Verdict::Deny, "{checked:?}");
    assert_eq!(
        checked.recipients[0].hints,
        ["release without attachment 2: what is left is R-UE"]
    );
}

#[test]
fn a_label_that_cannot_be_read_refuses_the_whole() {
    let world = World::new();
    let bad = AssertedLabel::Invalid {
        reason: "an unknown word at word 1".to_owned(),
        source: LabelSource::Field,
    };
    let Ok(Outcome::Refused(refusal)) =
        world.submit("cert-eu", Channel::Rest, mixed("csirt-alpha", bad))
    else {
        panic!("not refused")
    };
    assert_eq!(refusal.kind, RefusalKind::BadLabel);
    assert_eq!(
        refusal.detail,
        "the label is not valid: attachment 2: an unknown word at word 1"
    );
    assert_eq!(world.count(EventKind::MessageSealed), 0);
}

#[test]
fn paragraphs_above_the_label_are_for_an_officer() {
    let world = World::new();
    for (text, standing) in [
        ("(NC) One.\n\n(R-UE/EU-R) Two.\n", EventKind::LabelAssigned),
        (
            "(NC) One.\n\n(R-UE/EU-R TLP:RED) Two.\n",
            EventKind::LabelConflict,
        ),
        ("(R-UE/EU-R FOO) One.\n", EventKind::LabelConflict),
    ] {
        let mut submission = message(&["csirt-alpha"], Level::Restricted);
        submission.body = Text::new(text);
        let before = world.count(standing);
        let sent = world.accepted("cert-eu", Channel::Rest, submission);
        assert_eq!(world.count(standing), before + 1, "{text}");
        let review = standing == EventKind::LabelConflict;
        let found = sent.recipients[0].verdict;
        assert_eq!(found != Verdict::Permit, review, "{text}: {sent:?}");
    }
}
