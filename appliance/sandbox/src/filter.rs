//! Seccomp: filters of which the strictest answer counts.
//!
//! 1. What is not needed does not exist (`ENOSYS`).
//! 2. For who may have no files there are none (`ENOENT`): libraries that look
//!    for an optional file go on without it, where `EACCES` would stop them.
//! 3. Changing files outside the profile is denied (`EACCES`), as by Landlock.
//! 4. What must not be is forbidden (`EPERM`), some of it by its arguments.
//!
//! Of two filters that refuse, the one installed last gives the error.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::syscalls::{ALLOWED, ALLOWED_HERE, CHANGES, CHANGES_HERE, FORBIDDEN, FORBIDDEN_HERE};
use crate::{Files, Grants, Network, Profile, SandboxError};

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Installs the filters in all threads, for good.
pub(crate) fn install(profile: &Profile, grants: &Grants) -> Result<(), SandboxError> {
    let refused = |error: &dyn std::fmt::Display| SandboxError::refused("seccomp", error);
    let programs = [
        program(allowed(), Answer::Only).map_err(|error| refused(&error))?,
        program(absent(profile), Answer::Not(libc::ENOENT)).map_err(|error| refused(&error))?,
        program(
            denied(profile).map_err(|error| refused(&error))?,
            Answer::Not(libc::EACCES),
        )
        .map_err(|error| refused(&error))?,
        program(
            forbidden(profile, grants).map_err(|error| refused(&error))?,
            Answer::Not(libc::EPERM),
        )
        .map_err(|error| refused(&error))?,
    ];
    for program in programs {
        if !program.is_empty() {
            seccompiler::apply_filter_all_threads(&program).map_err(|error| refused(&error))?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Answer {
    /// Only these; others do not exist.
    Only,
    /// All but these, which fail so.
    Not(i32),
}

fn program(rules: Rules, answer: Answer) -> Result<BpfProgram, seccompiler::Error> {
    if rules.is_empty() {
        return Ok(BpfProgram::new());
    }
    let errno = |number: i32| SeccompAction::Errno(u32::try_from(number).unwrap_or(1));
    let (otherwise, these) = match answer {
        Answer::Only => (errno(libc::ENOSYS), SeccompAction::Allow),
        Answer::Not(number) => (SeccompAction::Allow, errno(number)),
    };
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, otherwise, these, here)?.try_into()?)
}

fn always(calls: &[&[c_long]]) -> Rules {
    calls
        .iter()
        .copied()
        .flatten()
        .map(|call| (*call, Vec::new()))
        .collect()
}

/// A rule on one argument.
fn when(
    conditions: impl IntoIterator<Item = (u8, SeccompCmpOp, u64)>,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = conditions
        .into_iter()
        .map(|(argument, is, value)| {
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)
        })
        .collect::<Result<_, _>>()?;
    SeccompRule::new(conditions)
}

/// A rule on set bits of one argument.
fn when_bits(argument: u8, bits: i32, are: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    when([(argument, SeccompCmpOp::MaskedEq(word(bits)), word(are))])
}

/// The 32 bits of a C constant, unsigned.
fn word(constant: i32) -> u64 {
    u64::from(constant.cast_unsigned())
}

fn allowed() -> Rules {
    // Who may not change files is told so by the filter of denied files.
    always(&[ALLOWED, ALLOWED_HERE, CHANGES, CHANGES_HERE])
}

/// Where the flags of an opened path are in the arguments.
#[cfg(target_arch = "x86_64")]
const OPENS: [(c_long, u8); 2] = [(libc::SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS: [(c_long, u8); 1] = [(libc::SYS_openat, 2)];

fn absent(profile: &Profile) -> Rules {
    if profile.files != Files::None {
        return Rules::new();
    }
    let opens = OPENS.map(|(call, _)| call);
    always(&[&opens, &[libc::SYS_openat2]])
}

fn denied(profile: &Profile) -> Result<Rules, seccompiler::BackendError> {
    if profile.files == Files::Write {
        return Ok(Rules::new());
    }
    let mut rules = always(&[CHANGES, CHANGES_HERE]);
    if profile.files == Files::Read {
        // Its flags are in memory, where no filter sees them.
        rules.insert(libc::SYS_openat2, Vec::new());
        for (call, flags) in OPENS {
            let writing = vec![
                when_bits(flags, libc::O_ACCMODE, libc::O_WRONLY)?,
                when_bits(flags, libc::O_ACCMODE, libc::O_RDWR)?,
                when_bits(flags, libc::O_CREAT, libc::O_CREAT)?,
                when_bits(flags, libc::O_TRUNC, libc::O_TRUNC)?,
            ];
            rules.insert(call, writing);
        }
    }
    Ok(rules)
}

fn forbidden(profile: &Profile, grants: &Grants) -> Result<Rules, seccompiler::BackendError> {
    let mut rules = always(&[FORBIDDEN, FORBIDDEN_HERE]);

    // Threads, but no processes and no namespaces.
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let mut clones = vec![when_bits(0, libc::CLONE_THREAD, 0)?];
    for namespace in namespaces {
        clones.push(when_bits(0, namespace, namespace)?);
    }
    rules.insert(libc::SYS_clone, clones);

    // A signal to itself only (abort).
    let me = word(rustix::process::getpid().as_raw_nonzero().get());
    rules.insert(libc::SYS_tgkill, vec![when([(0, SeccompCmpOp::Ne, me)])?]);

    // No code beyond what is loaded.
    if !profile.maps_code {
        for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
            rules.insert(call, vec![when_bits(2, libc::PROT_EXEC, libc::PROT_EXEC)?]);
        }
    }

    // Names of threads and of memory; nothing else about the process.
    let harmless = [
        libc::PR_SET_NAME,
        libc::PR_GET_NAME,
        libc::PR_SET_VMA,
        libc::PR_GET_DUMPABLE,
        libc::PR_GET_NO_NEW_PRIVS,
        libc::PR_GET_SECCOMP,
    ];
    let other = when(harmless.map(|option| (0, SeccompCmpOp::Ne, word(option))))?;
    rules.insert(libc::SYS_prctl, vec![other]);

    // Typing into the terminal it was started from.
    let typing = u64::from(u32::try_from(libc::TIOCSTI).unwrap_or(0x5412));
    rules.insert(
        libc::SYS_ioctl,
        vec![when([(1, SeccompCmpOp::Eq, typing)])?],
    );

    // Sockets by family, and no raw ones.
    let mut families = Vec::new();
    if grants.unix {
        families.push(libc::AF_UNIX);
    }
    if profile.network == Network::Connect {
        families.extend([libc::AF_INET, libc::AF_INET6]);
    }
    if families.is_empty() {
        rules.insert(libc::SYS_socket, Vec::new());
        rules.insert(libc::SYS_connect, Vec::new());
    } else {
        let other = when(
            families
                .iter()
                .map(|family| (0, SeccompCmpOp::Ne, word(*family))),
        )?;
        let raw = when_bits(1, 0xf, libc::SOCK_RAW)?;
        rules.insert(libc::SYS_socket, vec![other, raw]);
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PROFILES;

    #[test]
    fn every_profile_compiles() {
        for profile in PROFILES {
            for unix in [false, true] {
                let grants = Grants {
                    unix,
                    ..Grants::default()
                };
                assert!(!program(allowed(), Answer::Only).unwrap().is_empty());
                let denied = program(denied(profile).unwrap(), Answer::Not(libc::EACCES)).unwrap();
                assert_eq!(denied.is_empty(), profile.files == Files::Write);
                assert_eq!(absent(profile).is_empty(), profile.files != Files::None);
                let forbidden = forbidden(profile, &grants).unwrap();
                assert!(
                    !program(forbidden, Answer::Not(libc::EPERM))
                        .unwrap()
                        .is_empty()
                );
            }
        }
    }

    #[test]
    fn nothing_is_both_allowed_and_forbidden_outright() {
        // These two are allowed to install the later filters, which forbid them.
        let both: Vec<_> = ALLOWED
            .iter()
            .chain(ALLOWED_HERE)
            .chain(CHANGES)
            .chain(CHANGES_HERE)
            .filter(|call| FORBIDDEN.contains(call) || FORBIDDEN_HERE.contains(call))
            .collect();
        assert_eq!(both, [&libc::SYS_seccomp]);
    }
}
