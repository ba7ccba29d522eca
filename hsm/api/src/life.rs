//! The token's side of a key's life: made, chosen, destroyed.

use crate::{KeyError, KeyInfo, KeyRole};

/// Makes and ends keys. Only the custodian's register calls it, with what was
/// approved and written down before.
pub trait KeyLife: Send + Sync {
    /// Makes that generation of the role's key in the token, checks that the
    /// token made what was asked for (sensitive, not extractable, never
    /// extractable, local, single purpose) and tries it.
    ///
    /// # Errors
    /// As in [`crate::KeyErrorKind`]; a key that came out otherwise is
    /// destroyed again. `Config` where that generation is there already.
    fn make_key(&self, role: &KeyRole, generation: u32) -> Result<KeyInfo, KeyError>;

    /// Destroys that generation, both halves of a pair; nothing happens where
    /// nothing is there. There is no way back.
    ///
    /// # Errors
    /// As in [`crate::KeyErrorKind`]; asking again is harmless.
    fn destroy_key(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError>;

    /// What is made from now on is made with that generation; what was made
    /// with others is still opened with theirs.
    fn use_generation(&self, role: &KeyRole, generation: u32);
}
