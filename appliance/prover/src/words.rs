//! A set of facts, told to people.

use chancery_label::Level;
use chancery_message::ParticipantKind;
use chancery_policy::facts::{Consent, ExternalAgreement, Facts, LabelState, MouState, Relation};

/// One sentence: what would be sent, by whom, to whom, and what stands for it.
pub(crate) fn describe(facts: &Facts) -> String {
    let mut sentence = format!(
        "{} from {} to {}, for {}",
        message(facts),
        body(facts.sender_kind, facts.sender_community.word(), None),
        body(
            facts.recipient_kind,
            facts.recipient_community.word(),
            Some(facts.recipient_country.as_str()),
        ),
        facts.purpose.word(),
    );
    let circumstances = circumstances(facts);
    if !circumstances.is_empty() {
        sentence.push_str(": ");
        sentence.push_str(&circumstances.join("; "));
    }
    sentence
}

fn message(facts: &Facts) -> String {
    let mut label = vec![match facts.classification.marking() {
        None => "NC".to_owned(),
        Some(marking) => marking.to_owned(),
    }];
    label.extend(facts.tlp.map(|tlp| tlp.to_string()));
    label.extend(facts.caveats.iter().map(|one| one.code().to_owned()));
    label.extend(facts.handling_codes.iter().map(|one| one.code().to_owned()));
    if !facts.releasable_to.is_empty() {
        let all: Vec<_> = facts.releasable_to.iter().map(|one| one.as_str()).collect();
        label.push(format!("RELEASABLE TO {}", all.join(", ")));
    }
    let standing = match facts.label_state {
        LabelState::Valid => "",
        LabelState::Missing => " (in truth without a label)",
        LabelState::Invalid => " (whose label cannot be read)",
        LabelState::Conflict => " (whose content says something else)",
    };
    let personal = if facts.personal_data {
        " with personal data"
    } else {
        ""
    };
    format!("a message {}{standing}{personal}", label.join(" "))
}

fn body(kind: ParticipantKind, community: &str, country: Option<&str>) -> String {
    let what = match kind {
        ParticipantKind::Agency => "an agency",
        ParticipantKind::Private => "a company",
        ParticipantKind::ThirdState => "a third State",
        ParticipantKind::InternationalOrganisation => "an international organisation",
        ParticipantKind::Media => "the press",
    };
    match country {
        Some(country) => format!("{what} ({community}, {country})"),
        None => format!("{what} ({community})"),
    }
}

fn circumstances(facts: &Facts) -> Vec<String> {
    let mut all = Vec::new();
    if !facts.holder_is_originator {
        all.push("passed on, not the sender's own".to_owned());
    }
    all.push(match facts.consent {
        Consent::NotApplicable => "no consent of the originator".to_owned(),
        Consent::Granted => "with the originator's consent".to_owned(),
        Consent::Refused => "the originator refused".to_owned(),
    });
    if !facts.addressed {
        all.push("to somebody whom the originator did not name".to_owned());
    }
    all.push(
        match facts.relation {
            Relation::SameOrg => "within one organisation",
            Relation::Client => "to a client",
            Relation::Community => "within the community",
            Relation::Outside => "outside the community",
        }
        .to_owned(),
    );
    all.push(match facts.mou {
        MouState::Active => format!("under an MoU up to {}", facts.mou_ceiling),
        MouState::None => "without an MoU".to_owned(),
        other => format!("with an MoU that is {other}"),
    });
    if facts.external_agreement != ExternalAgreement::NotApplicable {
        all.push(format!("external agreement: {}", facts.external_agreement));
    }
    if facts.classification > Level::Nc {
        all.push(format!(
            "recipient cleared to {}, channel accredited to {}, its cryptography approved to {}",
            facts.recipient_clearance, facts.channel_accreditation, facts.crypto_approval
        ));
    }
    if facts.channel_public {
        all.push("by a public channel".to_owned());
    }
    if !facts.review_flags.is_empty() {
        let flags: Vec<_> = facts.review_flags.iter().map(|one| one.word()).collect();
        all.push(format!("flagged {}", flags.join(", ")));
    }
    all
}
