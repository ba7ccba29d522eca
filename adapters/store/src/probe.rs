//! Places where tests stop the writer.

use std::fmt;
use std::sync::Arc;

/// A place in the writer's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// All is written, COMMIT comes next.
    BeforeCommit,
    /// COMMIT is done, nobody has been answered.
    AfterCommit,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Go,
    /// The connection is lost there, and with it the answer to COMMIT.
    Lose,
}

/// Decides what happens at a place.
pub trait Probe: Send + Sync {
    /// Called by the writer.
    fn at(&self, point: Point) -> Act;
}

/// A probe, or none.
#[derive(Clone, Default)]
pub struct Probes(pub Option<Arc<dyn Probe>>);

// === impl Probes ===

impl Probes {
    pub(crate) fn at(&self, point: Point) -> Act {
        #[cfg(feature = "crash-points")]
        crash::at(point);
        self.0.as_ref().map_or(Act::Go, |probe| probe.at(point))
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Probes(1)"
        } else {
            "Probes(0)"
        })
    }
}

/// Ends the process at the place that `CHANCERY_CRASH_AT` names, for example
/// `store.before-commit:17` for the 17th time it comes by. In builds for tests
/// alone.
#[cfg(feature = "crash-points")]
mod crash {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    static PLAN: LazyLock<Option<(Point, u64)>> = LazyLock::new(|| {
        let plan = std::env::var("CHANCERY_CRASH_AT").ok()?;
        let (place, count) = plan.split_once(':').unwrap_or((&plan, "1"));
        let point = match place {
            "store.before-commit" => Point::BeforeCommit,
            "store.after-commit" => Point::AfterCommit,
            _ => return None,
        };
        Some((point, count.parse().ok()?))
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);

    pub(super) fn at(point: Point) {
        if let Some((place, number)) = *PLAN
            && place == point
            && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == number
        {
            std::process::abort();
        }
    }
}
