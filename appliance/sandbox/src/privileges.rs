//! Privileges, core dumps, tracing.

use rustix::process::{DumpableBehavior, Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::SandboxError;

/// Refuses when more than the calling thread runs.
pub(crate) fn one_thread() -> Result<(), SandboxError> {
    // Without /proc nothing can be counted; the daemons' order is then all
    // there is.
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(threads) if threads > 1 => Err(SandboxError::Threads(threads)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Gives up privileges for good, and memory that others could see.
pub(crate) fn give_up() -> Result<(), SandboxError> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| SandboxError::refused("no new privileges", error))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    // A service manager that left none may also have forbidden to change them.
    let dropped = rustix::thread::capabilities(None).and_then(|have| {
        let already =
            have.effective.is_empty() && have.permitted.is_empty() && have.inheritable.is_empty();
        if already {
            Ok(())
        } else {
            rustix::thread::set_capabilities(None, none)
        }
    });
    dropped
        .and_then(|()| rustix::thread::clear_ambient_capability_set())
        .map_err(|error| SandboxError::refused("dropping capabilities", error))?;
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .map_err(|error| SandboxError::refused("no core dumps", error))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| SandboxError::refused("not traceable", error))
}
