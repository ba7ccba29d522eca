//! What the directory and the MoUs say about facts, as a Cedar condition: where
//! the fact `mou` is active, ONE agreed MoU covers the release, and all of its
//! articles hold. Days are left out: an MoU that is agreed may be in force.

use std::collections::BTreeSet;

use chancery_label::Tlp;
use chancery_message::Purpose;
use chancery_policy::directory::{Directory, Participant};
use chancery_policy::mou::{Article, Mou, Register, Standing};

/// The condition that every derived set of facts keeps.
pub(crate) fn condition(directory: &Directory, register: &Register) -> String {
    let mut ways = BTreeSet::new();
    for mou in register.mous() {
        if mou.state == Standing::Agreed && !mou.purposes.is_empty() {
            ways.extend(of(mou, directory));
        }
    }
    let ways: Vec<String> = ways.into_iter().collect();
    format!("context.mou != Mou::\"active\" || {}", any(&ways))
}

/// One condition for each pair of parties, in each direction.
fn of(mou: &Mou, directory: &Directory) -> Vec<String> {
    let parties: Vec<&Participant> = directory
        .participants()
        .iter()
        .filter(|one| mou.parties.contains(&one.id))
        .filter(|one| mou.communities.contains(&one.community))
        .filter(|one| mou.compartments.contains(&one.compartment))
        .collect();
    let mut ways = Vec::new();
    for from in &parties {
        for to in parties.iter().filter(|to| to.id != from.id) {
            let mut parts = vec![
                equal("sender_community", "Community", from.community.word()),
                equal("recipient_community", "Community", to.community.word()),
                equal("sender_kind", "Kind", from.kind.word()),
                equal("recipient_kind", "Kind", to.kind.word()),
                format!("context.recipient_country == \"{}\"", to.country),
                format!("context.mou_ceiling == {}", mou.ceiling.rank()),
                purposes(&mou.purposes),
            ];
            parts.extend(
                mou.articles
                    .iter()
                    .filter_map(|article| demand(article, from, to)),
            );
            ways.push(format!("({})", parts.join(" && ")));
        }
    }
    ways
}

/// What an article demands of a release between these two; none where it does
/// not apply to them.
fn demand(article: &Article, from: &Participant, to: &Participant) -> Option<String> {
    let concerns = (article.senders.is_empty() || article.senders.contains(&from.id))
        && (article.recipients.is_empty() || article.recipients.contains(&to.id));
    if !concerns {
        return None;
    }
    let mut kept = Vec::new();
    if article.forbidden {
        kept.push("false".to_owned());
    }
    if let Some(most) = article.max_level {
        kept.push(format!("context.classification <= {}", most.rank()));
    }
    if let Some(most) = article.max_tlp {
        let labels: Vec<String> = Tlp::ALL
            .into_iter()
            .filter(|tlp| *tlp <= most)
            .map(|tlp| format!("Tlp::\"{}\"", tlp.code()))
            .collect();
        kept.push(format!("[{}].contains(context.tlp)", labels.join(", ")));
    }
    if article.no_personal_data {
        kept.push("!context.personal_data".to_owned());
    }
    let kept = format!("({})", kept.join(" && "));
    Some(if article.purposes.is_empty() {
        kept
    } else {
        format!("(!{} || {kept})", purposes(&article.purposes))
    })
}

fn equal(fact: &str, set: &str, word: &str) -> String {
    format!("context.{fact} == {set}::\"{word}\"")
}

fn purposes(all: &[Purpose]) -> String {
    let words: Vec<String> = all
        .iter()
        .map(|one| format!("Purpose::\"{}\"", one.word()))
        .collect();
    format!("[{}].contains(context.purpose)", words.join(", "))
}

/// A disjunction as a balanced tree: thousands of MoUs make no deep nesting.
fn any(ways: &[String]) -> String {
    match ways {
        [] => "false".to_owned(),
        [one] => one.clone(),
        _ => {
            let (left, right) = ways.split_at(ways.len() / 2);
            format!("({} || {})", any(left), any(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Authorizer, Decision, Entities, Policy, PolicySet};
    use chancery_policy::engine::Engine;
    use chancery_policy::facts::MouState;
    use chancery_policy::{matrix, shipped};

    use super::*;

    /// A proof under a condition that real facts break would be about nothing.
    #[test]
    fn facts_that_are_derived_keep_the_condition() {
        let engine = Engine::shipped().unwrap();
        let directory = shipped::directory(1).unwrap();
        let register = shipped::register(&directory).unwrap();
        let condition = condition(&directory, &register);
        let set = PolicySet::from_policies(
            [
                "permit (principal, action, resource);".to_owned(),
                format!("forbid (principal, action, resource) unless {{ {condition} }};"),
            ]
            .iter()
            .enumerate()
            .map(|(at, text)| {
                Policy::parse(Some(cedar_policy::PolicyId::new(at.to_string())), text).unwrap()
            }),
        )
        .unwrap();
        let mut under_one = 0;
        for cell in matrix::cells().unwrap().iter().step_by(5) {
            let request = engine.question(&cell.facts).unwrap();
            let answer = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
            assert_eq!(answer.decision(), Decision::Allow, "{}", cell.question);
            under_one += u32::from(cell.facts.mou == MouState::Active);
        }
        assert!(under_one > 100, "{under_one} releases under an MoU");
    }
}
