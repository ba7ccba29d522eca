//! How keys are named in the token.
//!
//! The label of a role's first key is the role's name; later generations have
//! `#2`, `#3` … behind it. So no two private or secret keys of a token ever
//! share a label, and two that do are a substitution.

use chancery_hsm_api::KeyRole;
use sha2::{Digest as _, Sha256};

/// A key's label.
pub(crate) fn label(role: &KeyRole, generation: u32) -> String {
    if generation == 1 {
        role.to_string()
    } else {
        format!("{role}#{generation}")
    }
}

/// A key's `CKA_ID`: both halves of a pair have the same.
pub(crate) fn id(label: &str) -> Vec<u8> {
    let mut id = Sha256::digest(label.as_bytes()).to_vec();
    id.truncate(16);
    id
}

/// The role and generation of a label; none if it is not one of ours.
pub(crate) fn parse(label: &str) -> Option<(KeyRole, u32)> {
    let Some((role, generation)) = label.split_once('#') else {
        return Some((label.parse().ok()?, 1));
    };
    let number: u32 = generation.parse().ok()?;
    // Written in one way alone: no zeros or signs before it, not 0, not 1.
    if number < 2 || number.to_string() != generation {
        return None;
    }
    Some((role.parse().ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_back_and_others_are_not_ours() {
        for (text, generation) in [("kek/2/acme", 1), ("tls/rest#2", 2), ("pgp/sign#17", 17)] {
            let (role, number) = parse(text).unwrap();
            assert_eq!(number, generation);
            assert_eq!(label(&role, number), text);
        }
        for bad in [
            "",
            "tls/rest#",
            "tls/rest#0",
            "tls/rest#1",
            "tls/rest#02",
            "x",
            "tls/rest#2#3",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_ne!(id("tls/rest"), id("tls/rest#2"));
    }
}
