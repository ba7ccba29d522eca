//! The example documents of `config/`, for `chancery init`, the demo and tests.

use crate::directory::{Directory, DirectoryError};
use crate::mou::{MouError, Register};

/// `config/participants.toml`.
pub const PARTICIPANTS: &str = include_str!("../../../config/participants.toml");

/// `config/officers.toml`.
pub const OFFICERS: &str = include_str!("../../../config/officers.toml");

/// `config/invariants.cedar`: what no policy set may ever let out.
pub const INVARIANTS: &str = include_str!("../../../config/invariants.cedar");

macro_rules! mous {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../config/mous/", $name)))),+]
    };
}

/// The files of `config/mous`: name and content.
pub const MOUS: [(&str, &str); 7] = mous![
    "civilian-defence.toml",
    "civilian-diplomacy.toml",
    "civilian-law-enforcement.toml",
    "diplomacy-defence.toml",
    "law-enforcement-diplomacy.toml",
    "vendor-bastion.toml",
    "vendor-sentinel.toml",
];

/// The example directory: no keys, so no channel is usable before they are filled in.
///
/// # Errors
/// [`DirectoryError`]; the tests load the same texts, so that it does not happen.
pub fn directory(epoch: u64) -> Result<Directory, DirectoryError> {
    Directory::from_toml(epoch, PARTICIPANTS, OFFICERS)
}

/// The example MoUs.
///
/// # Errors
/// [`MouError`]; the tests load the same texts, so that it does not happen.
pub fn register(directory: &Directory) -> Result<Register, MouError> {
    Register::from_toml(MOUS, directory)
}
