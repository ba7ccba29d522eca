//! What of the directory and the agreements will end, when, which routes stop
//! with it, and what to do. Pure: who asks says what the time is.

use chancery_message::Timestamp;
use serde::Serialize;

use crate::directory::{Approval, Clearance, Directory, Participant};
use crate::mou::{Mou, Register, Standing};

/// Something that will end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// `key`, `certificate`, `revocation-list`, `openpgp`, `mou`, `clearance`,
    /// `accreditation`, `crypto-approval`, `entry`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The first moment without it.
    #[serde(serialize_with = "as_text")]
    pub ends: Timestamp,
    /// The routes that stop with it.
    pub stops: Vec<String>,
    /// What to do.
    pub advice: String,
}

fn as_text<S: serde::Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(at)
}

/// What of directory and agreements ends after `now`, and by `until`.
#[must_use]
pub fn endings(
    directory: &Directory,
    mous: &Register,
    now: Timestamp,
    until: Timestamp,
) -> Vec<Ending> {
    let mut all = Vec::new();
    for one in directory.participants() {
        if one.validity().holds(now) && !one.suspended {
            of_participant(one, &mut all);
        }
    }
    for officer in directory.officers() {
        if !officer.validity().holds(now) || officer.suspended {
            continue;
        }
        let stops = vec![format!(
            "what {} approves or reads as an officer",
            officer.id
        )];
        of_clearance(
            officer.clearance.as_ref(),
            officer.id.as_str(),
            &stops,
            &mut all,
        );
        if let Some(day) = officer.valid_until {
            all.push(Ending {
                kind: "entry",
                name: officer.id.to_string(),
                ends: day.end(),
                stops,
                advice: "enter a new version of the officer, or name another".to_owned(),
            });
        }
    }
    for mou in mous.mous() {
        of_mou(mou, now, &mut all);
    }
    all.retain(|one| one.ends > now && one.ends <= until);
    all.sort_by(|a, b| (a.ends, a.kind, &a.name).cmp(&(b.ends, b.kind, &b.name)));
    all
}

fn of_participant(one: &Participant, all: &mut Vec<Ending>) {
    let id = one.id.as_str();
    let everything = vec![format!("everything to and from {id}")];
    if let Some(day) = one.valid_until {
        all.push(Ending {
            kind: "entry",
            name: id.to_owned(),
            ends: day.end(),
            stops: everything,
            advice: "enter a new version of the participant in the directory".to_owned(),
        });
    }
    let classified = vec![format!("everything classified to {id}")];
    of_clearance(one.clearance.as_ref(), id, &classified, all);
    let channels = [
        ("mail", one.mail.as_ref().map(|entry| &entry.approval)),
        ("siena", one.siena.as_ref().map(|entry| &entry.approval)),
        ("rest", one.rest.as_ref().map(|entry| &entry.approval)),
    ];
    for (channel, approval) in channels {
        let Some(approval) = approval else {
            continue;
        };
        of_approval(id, channel, approval, all);
    }
}

fn of_clearance(clearance: Option<&Clearance>, id: &str, stops: &[String], all: &mut Vec<Ending>) {
    let Some(clearance) = clearance else {
        return;
    };
    all.push(Ending {
        kind: "clearance",
        name: format!("{id} ({})", clearance.level),
        ends: clearance.until.end(),
        stops: stops.to_vec(),
        advice: "ask the security authority to renew it, then enter the new day".to_owned(),
    });
}

fn of_approval(id: &str, channel: &str, approval: &Approval, all: &mut Vec<Ending>) {
    let stops = vec![format!("everything classified to {id} by {channel}")];
    let days = [
        (
            "accreditation",
            approval.accredited_until,
            "ask the accreditation authority to renew it",
        ),
        (
            "crypto-approval",
            approval.crypto_approved_until,
            "ask the crypto approval authority to renew it",
        ),
    ];
    for (kind, day, advice) in days {
        if let Some(day) = day {
            all.push(Ending {
                kind,
                name: format!("{id} by {channel}"),
                ends: day.end(),
                stops: stops.clone(),
                advice: advice.to_owned(),
            });
        }
    }
}

fn of_mou(mou: &Mou, now: Timestamp, all: &mut Vec<Ending>) {
    if mou.state != Standing::Agreed || mou.valid_from.start() > now {
        return;
    }
    let mut stops = Vec::new();
    for (place, a) in mou.parties.iter().enumerate() {
        for b in mou.parties.iter().skip(place + 1) {
            stops.push(format!("{a} and {b}, unless another MoU covers them"));
        }
    }
    for community in &mou.communities {
        stops.push(format!("what crosses into or out of {community:?} by it").to_lowercase());
    }
    all.push(Ending {
        kind: "mou",
        name: mou.id.to_string(),
        ends: mou.valid_until.end(),
        stops,
        advice: "agree its next version with the parties before that day".to_owned(),
    });
}
