//! Memory with secrets: not seen from outside, not written to disk.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::Failure;

/// No core file, and nobody else of this user looks into this process.
pub(crate) fn hide() -> Result<(), Failure> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none)
        .and_then(|()| rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|errno| Failure::System {
            what: "hide the memory",
            source: errno.into(),
        })
}

/// Keeps all memory out of swap, where the limit allows it: with a limit,
/// later allocations and threads would fail instead.
pub(crate) fn lock() {
    if rustix::process::getrlimit(Resource::Memlock)
        .current
        .is_some()
    {
        tracing::warn!(
            "memory is not locked: set LimitMEMLOCK=infinity, or have no swap or an encrypted one"
        );
        return;
    }
    if let Err(error) = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        tracing::warn!(%error, "memory is not locked");
    }
}
