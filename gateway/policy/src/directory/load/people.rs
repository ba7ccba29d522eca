//! What is wrong with the people of a directory, and with its central registry.

use std::collections::HashMap;

use chancery_message::Channel;

use super::super::Participant;
use super::Problem;

/// A person acts for one participant, with a certificate of its own.
pub(super) fn persons(participants: &[Participant], problems: &mut Vec<Problem>) {
    let mut holders: HashMap<&str, &Participant> = HashMap::new();
    for one in participants {
        let mut prints = Vec::new();
        for person in &one.people {
            let place = format!("person {}", person.id);
            let mut wrong = |what: &str| problems.push(Problem::new(&place, what));
            if person.name.trim().is_empty() {
                wrong("name says who it is");
            }
            if person.validity().is_reversed() {
                wrong("valid_until is before valid_from");
            }
            if one.people.iter().filter(|two| two.id == person.id).count() > 1
                || holders
                    .insert(person.id.as_str(), one)
                    .is_some_and(|other| other.id != one.id)
            {
                wrong("a person has one entry, of the one participant that it acts for");
            }
            for (channel, entry) in [(Channel::Siena, &one.siena), (Channel::Rest, &one.rest)] {
                let own = person.certificates(channel);
                if !own.is_empty() && entry.is_none() {
                    wrong("the participant does not have the channel of the person's certificate");
                }
                let systems = entry.iter().flat_map(|entry| &entry.certificates);
                if systems.chain(&prints).any(|print| own.contains(print)) {
                    wrong("the certificate is another's too: a person has one of its own");
                }
                prints.extend(own.iter().copied());
            }
        }
    }
}

/// The central registry is one, and an authority of the Union or of a Member State.
pub(super) fn registries(participants: &[Participant], problems: &mut Vec<Problem>) {
    let all: Vec<_> = participants
        .iter()
        .filter(|one| one.central_registry)
        .collect();
    for (at, one) in all.iter().enumerate() {
        let place = format!("participant {}", one.id);
        if one.is_external() || one.is_private() {
            problems.push(Problem::new(
                &place,
                "the central registry is an authority of the Union or of a Member State",
            ));
        }
        let second = all
            .iter()
            .take(at)
            .any(|other| other.id != one.id && other.validity().overlaps(one.validity()));
        if second {
            problems.push(Problem::new(
                &place,
                "there is another central registry on the same day: name one",
            ));
        }
    }
}
