//! Who may know of whom.

use super::{Participant, View};
use crate::mou::Register;

impl<'a> View<'a> {
    /// True if `viewer` may know that `other` takes part: its own organisation
    /// and community, those with an MoU in force between them, and what its
    /// entry adds. A private participant knows of those alone with whom it has an
    /// MoU in force, and of no other private participant ever.
    #[must_use]
    pub fn may_see(&self, viewer: &Participant, other: &Participant, register: &Register) -> bool {
        if viewer.id == other.id {
            return true;
        }
        if viewer.is_private() && other.is_private() {
            return viewer.organisation == other.organisation
                && viewer.compartment == other.compartment;
        }
        if register.is_live_between(&viewer.id, &other.id, self.now) {
            return true;
        }
        !viewer.is_private()
            && !other.is_private()
            && (viewer.organisation == other.organisation
                || viewer.community == other.community
                || viewer.may_see.contains(&other.id))
    }

    /// The participants that `viewer` may know of, itself excepted, in the order of the directory.
    #[must_use]
    pub fn visible_to(&self, viewer: &Participant, register: &Register) -> Vec<&'a Participant> {
        self.participants()
            .filter(|other| other.id != viewer.id && self.may_see(viewer, other, register))
            .collect()
    }
}
