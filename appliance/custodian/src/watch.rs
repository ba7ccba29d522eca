//! Watches the token: what only a new process can heal ends this one; its
//! supervisor starts the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_hsm_api::Inventory as _;
use chancery_hsm_custodian::Server;
use chancery_hsm_pkcs11::Token;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);

/// A token that is lost for longer is looked for by a new process: some modules
/// see a token again only after they were loaded anew.
const LOST: Duration = Duration::from_secs(3);

/// Exit statuses, for the supervisor's log.
const HANGS: i32 = 70;
const GONE: i32 = 71;

/// Starts the thread that watches. A call into the module that lasts longer
/// than `hanging` counts as hanging.
pub(crate) fn start(server: &Arc<Server<Token>>, hanging: Duration) -> std::io::Result<()> {
    let asked = Arc::clone(server);
    // Asking may hang too, so that another thread does it.
    std::thread::Builder::new()
        .name("pulse".into())
        .spawn(move || {
            loop {
                let health = asked.keys().health();
                if !health.working {
                    tracing::warn!(failure = health.last_failure, "the token does not work");
                }
                pause(PERIOD);
            }
        })?;
    let watched = Arc::clone(server);
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(move || {
            loop {
                pause(PERIOD);
                let token = watched.keys();
                if let Some(span) = token.oldest_call().filter(|span| *span > hanging) {
                    tracing::error!(
                        seconds = span.as_secs(),
                        "a call into the module hangs: ending"
                    );
                    std::process::exit(HANGS);
                }
                if let Some(span) = token.lost_for().filter(|span| *span > LOST) {
                    tracing::error!(seconds = span.as_secs(), "the token stays lost: ending");
                    std::process::exit(GONE);
                }
            }
        })?;
    Ok(())
}

/// Waits without an event: what is watched announces nothing.
pub(crate) fn pause(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        std::thread::park_timeout(left);
    }
}
