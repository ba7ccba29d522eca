//! The register: which MoU covers a release.

use std::collections::HashMap;

use chancery_label::{Level, Tlp};
use chancery_message::{MouId, ParticipantId, Purpose, Timestamp};

use super::{Mou, Standing};
use crate::directory::Participant;
use crate::facts::MouState;

/// All MoUs, found by pair: the cost of a look-up does not grow with the MoUs
/// that do not concern the pair.
#[derive(Clone, Debug, Default)]
pub struct Register {
    mous: Vec<Mou>,
    by_pair: HashMap<(ParticipantId, ParticipantId), Vec<usize>>,
}

/// A release from one participant to another, as MoUs look at it.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// Who sends.
    pub sender: &'a Participant,
    /// Who is to receive.
    pub recipient: &'a Participant,
    /// For what.
    pub purpose: Purpose,
    /// The message's level.
    pub level: Level,
    /// Its TLP label.
    pub tlp: Option<Tlp>,
    /// Whether personal data is in it.
    pub personal_data: bool,
}

/// What the register says of a release: the facts `mou` and `mou_ceiling`, and
/// what the record cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MouFact {
    /// The state of the MoU that covers it.
    pub state: MouState,
    /// Its ceiling; `NC` where none covers it.
    pub ceiling: Level,
    /// The MoU.
    pub mou: Option<MouId>,
    /// The article that does not hold, where an MoU in force would cover the
    /// release but for it: MoU and number.
    pub article: Option<(MouId, String)>,
    /// The numbers of the MoU's articles that apply to the release, all of which hold.
    pub applied: Vec<String>,
}

impl MouFact {
    /// The articles that the record cites, each with its MoU: those that the
    /// release came under, or the one that stands against it.
    #[must_use]
    pub fn cited(&self) -> Vec<String> {
        match (&self.article, &self.mou) {
            (Some((id, number)), _) => vec![format!("{id} {number}")],
            (None, Some(id)) => self
                .applied
                .iter()
                .map(|number| format!("{id} {number}"))
                .collect(),
            (None, None) => Vec::new(),
        }
    }
}

// === impl Register ===

impl Register {
    /// A register of these MoUs. What is wrong with them, [`Register::from_toml`] tells.
    #[must_use]
    pub(super) fn of(mous: Vec<Mou>) -> Self {
        let mut by_pair: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, mou) in mous.iter().enumerate() {
            for (i, a) in mou.parties.iter().enumerate() {
                for b in mou.parties.iter().skip(i + 1) {
                    by_pair.entry(pair(a, b)).or_default().push(at);
                }
            }
        }
        Self { mous, by_pair }
    }

    /// All MoUs.
    #[must_use]
    pub fn mous(&self) -> &[Mou] {
        &self.mous
    }

    /// The MoU of this id.
    #[must_use]
    pub fn by_id(&self, id: &MouId) -> Option<&Mou> {
        self.mous.iter().find(|mou| mou.id == *id)
    }

    /// True if the MoU of this id is in force.
    #[must_use]
    pub fn is_in_force(&self, id: &MouId, now: Timestamp) -> bool {
        self.by_id(id)
            .is_some_and(|mou| state(mou, now) == MouState::Active)
    }

    /// True if an MoU in force has both as parties, whatever it covers.
    #[must_use]
    pub fn is_live_between(&self, a: &ParticipantId, b: &ParticipantId, now: Timestamp) -> bool {
        self.between(a, b)
            .any(|mou| state(mou, now) == MouState::Active)
    }

    /// The MoU that covers a release. Of several in force, the one with the
    /// highest ceiling whose articles all hold; of none in force, the one that
    /// comes nearest, so that people are told which to renew.
    #[must_use]
    pub fn covering(&self, release: &Crossing<'_>, now: Timestamp) -> MouFact {
        let mut best: Option<(&Mou, MouState)> = None;
        let mut article = None;
        for mou in self.between(&release.sender.id, &release.recipient.id) {
            if !covers(mou, release) {
                continue;
            }
            let state = state(mou, now);
            let broken = mou.articles.iter().find(|article| !article.holds(release));
            if let (MouState::Active, Some(broken)) = (state, broken) {
                article.get_or_insert_with(|| (mou.id.clone(), broken.number.clone()));
                continue;
            }
            let better = best.is_none_or(|(other, held)| {
                (nearness(state), mou.ceiling) > (nearness(held), other.ceiling)
            });
            if better {
                best = Some((mou, state));
            }
        }
        match best {
            Some((mou, state)) => MouFact {
                state,
                ceiling: mou.ceiling,
                mou: Some(mou.id.clone()),
                article: article.filter(|_| state != MouState::Active),
                applied: mou
                    .articles
                    .iter()
                    .filter(|article| article.applies(release))
                    .map(|article| article.number.clone())
                    .collect(),
            },
            None => MouFact {
                state: MouState::None,
                ceiling: Level::Nc,
                mou: None,
                article,
                applied: Vec::new(),
            },
        }
    }

    fn between(&self, a: &ParticipantId, b: &ParticipantId) -> impl Iterator<Item = &Mou> {
        self.by_pair
            .get(&pair(a, b))
            .into_iter()
            .flatten()
            .filter_map(|at| self.mous.get(*at))
    }
}

/// A pair without direction.
fn pair(a: &ParticipantId, b: &ParticipantId) -> (ParticipantId, ParticipantId) {
    if a <= b {
        (a.clone(), b.clone())
    } else {
        (b.clone(), a.clone())
    }
}

/// Communities, purpose and compartments; the pair was looked up.
fn covers(mou: &Mou, release: &Crossing<'_>) -> bool {
    let (from, to) = (release.sender, release.recipient);
    mou.communities.contains(&from.community)
        && mou.communities.contains(&to.community)
        && mou.purposes.contains(&release.purpose)
        && mou.compartments.contains(&from.compartment)
        && mou.compartments.contains(&to.compartment)
}

/// What an MoU is on that day.
fn state(mou: &Mou, now: Timestamp) -> MouState {
    match mou.state {
        Standing::Draft => MouState::Draft,
        Standing::Suspended => MouState::Suspended,
        Standing::Agreed if mou.validity().is_over(now) => MouState::Expired,
        Standing::Agreed if mou.validity().holds(now) => MouState::Active,
        // Agreed, but its first day is still to come.
        Standing::Agreed => MouState::Draft,
    }
}

const fn nearness(state: MouState) -> u8 {
    match state {
        MouState::Active => 4,
        MouState::Suspended => 3,
        MouState::Expired => 2,
        MouState::Draft => 1,
        MouState::None => 0,
    }
}
