//! Landlock: files, TCP ports, signals and abstract sockets.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
};

use crate::{Grants, Network, Profile, SandboxError};

/// Reading, without executing.
const READ_FILE: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile});
const READ_FOLDER: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// Writing: no device, no link, no socket, no execution.
const WRITE_FILE: BitFlags<AccessFs> =
    landlock::make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate});
const WRITE_FOLDER: BitFlags<AccessFs> = landlock::make_bitflags!(AccessFs::{
    ReadFile | WriteFile | Truncate | ReadDir | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// Restricts this thread and those it starts; returns the kernel's version of
/// Landlock, 0 without, and adds to `missing` what it cannot do.
pub(crate) fn restrict(
    profile: &Profile,
    grants: &Grants,
    missing: &mut Vec<String>,
) -> Result<u32, SandboxError> {
    let refused = |error: landlock::RulesetError| SandboxError::refused("Landlock", error);
    // What is handled is forbidden unless a rule grants it. Each part is there
    // or not by the kernel's version, which is looked at afterwards.
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|rules| rules.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp))
        .and_then(|rules| rules.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(refused)?;
    for path in &grants.read {
        let (rule, folder) = beneath(path)?;
        let access = if folder { READ_FOLDER } else { READ_FILE };
        rules = rules
            .add_rule(PathBeneath::new(rule, access))
            .map_err(refused)?;
    }
    for path in &grants.write {
        let (rule, folder) = beneath(path)?;
        let access = if folder { WRITE_FOLDER } else { WRITE_FILE };
        rules = rules
            .add_rule(PathBeneath::new(rule, access))
            .map_err(refused)?;
    }
    for port in &grants.connect {
        rules = rules
            .add_rule(NetPort::new(*port, AccessNet::ConnectTcp))
            .map_err(refused)?;
    }
    let status = rules.restrict_self().map_err(refused)?;
    let version = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    };
    note_missing(version, profile, missing);
    Ok(version)
}

fn note_missing(version: u32, profile: &Profile, missing: &mut Vec<String>) {
    let mut needs = |least: u32, what: &str| {
        if version < least {
            missing.push(format!(
                "{what} (Landlock {least}, this kernel has {version})"
            ));
        }
    };
    needs(1, "limit which files are opened");
    needs(3, "limit which files are cut");
    if profile.network == Network::Connect {
        // Elsewhere seccomp forbids every internet socket.
        needs(4, "limit to which TCP ports is connected");
    }
    needs(6, "limit which processes are signalled");
}

fn beneath(path: &Path) -> Result<(PathFd, bool), SandboxError> {
    let failed = |error| SandboxError::Path {
        path: path.to_path_buf(),
        error,
    };
    let folder = std::fs::metadata(path).map_err(failed)?.is_dir();
    let opened = PathFd::new(path).map_err(|error| failed(io::Error::other(error)))?;
    Ok((opened, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_named() {
        let lacks = |version, profile: &Profile| {
            let mut missing = Vec::new();
            note_missing(version, profile, &mut missing);
            missing.len()
        };
        assert_eq!(lacks(0, &Profile::READER), 3);
        assert_eq!(lacks(2, &Profile::READER), 2);
        assert_eq!(lacks(2, &Profile::DOOR_OUT), 3);
        assert_eq!(lacks(4, &Profile::DOOR_OUT), 1);
        assert_eq!(lacks(6, &Profile::DOOR_OUT), 0);
    }

    #[test]
    fn a_grant_must_exist() {
        let error = beneath(Path::new("/nowhere/at/all")).err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("/nowhere/at/all cannot be opened"),
            "{error}"
        );
    }
}
