//! The log's checkpoints: the custodian signs the head from time to time; where
//! it cannot for too long, nothing leaves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chancery_audit::{Actor, Event, EventKind, Key, Value};
use chancery_hsm_api::{CheckpointRequest, Checkpoints as _};
use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Refusal, RefusalKind};
use chancery_pipeline::ports::{Step, StoredCheckpoint};
use chancery_settings::Audit;

use crate::app::App;

/// How far the log is anchored.
#[derive(Debug)]
pub(crate) struct Anchor {
    /// Size of the last signed head.
    signed: AtomicU64,
    /// Since when the log has grown past it, milliseconds after `begun`; 0 while it has not.
    behind_since: AtomicU64,
    longest_ms: AtomicU64,
    most: AtomicU64,
    begun: Instant,
}

impl Default for Anchor {
    fn default() -> Self {
        Self {
            signed: AtomicU64::new(0),
            behind_since: AtomicU64::new(0),
            longest_ms: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(u64::MAX),
            begun: Instant::now(),
        }
    }
}

impl Anchor {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Refuses releases while the log has grown unsigned for too long.
    pub(crate) fn allows_release(&self, size: u64) -> Result<(), Refusal> {
        let since = self.behind_since.load(Ordering::Relaxed);
        let late = since != 0
            && self.elapsed_ms().saturating_sub(since) > self.longest_ms.load(Ordering::Relaxed);
        let many = size.saturating_sub(self.signed.load(Ordering::Relaxed))
            > self.most.load(Ordering::Relaxed);
        if late || many {
            return Err(Refusal::new(
                RefusalKind::Unavailable,
                "the audit log cannot be signed: nothing is released until it can",
            ));
        }
        Ok(())
    }

    /// Size of the last signed head, and for how long the log has grown past it.
    pub(crate) fn lag(&self) -> (u64, Duration) {
        let signed = self.signed.load(Ordering::Relaxed);
        let since = self.behind_since.load(Ordering::Relaxed);
        let behind = if since == 0 {
            0
        } else {
            self.elapsed_ms().saturating_sub(since)
        };
        (signed, Duration::from_millis(behind))
    }

    fn note(&self, size: u64, signed: u64) {
        self.signed.store(signed, Ordering::Relaxed);
        if size <= signed {
            self.behind_since.store(0, Ordering::Relaxed);
        } else if self.behind_since.load(Ordering::Relaxed) == 0 {
            self.behind_since
                .store(self.elapsed_ms(), Ordering::Relaxed);
        }
    }
}

/// Signs the head every so often, for ever.
pub(crate) async fn run(app: Arc<App>, settings: Audit) {
    app.anchor
        .longest_ms
        .store(u64::from(settings.max_unsigned_s) * 1000, Ordering::Relaxed);
    app.anchor
        .most
        .store(u64::from(settings.max_unsigned_records), Ordering::Relaxed);
    let mut every = tokio::time::interval(Duration::from_secs(u64::from(
        settings.checkpoint_every_s.max(1),
    )));
    loop {
        every.tick().await;
        let app = Arc::clone(&app);
        let done = tokio::task::spawn_blocking(move || sign(&app)).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(
                error,
                "the audit log's head could not be signed; it is tried again"
            ),
            Err(error) => tracing::error!(%error, "signing the log's head ended"),
        }
    }
}

/// Has the custodian sign the head, if the log has grown.
pub(crate) fn sign(app: &App) -> Result<(), String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let ledger = app.gateway.ledger.as_ref();
    let mut head = ledger.head().map_err(|error| say(&error))?;
    let origin = app.log.as_str();
    let last = app.keys.last_checkpoint(origin);
    let (signed, _) = last.map_err(|error| {
        app.anchor
            .note(head.size, app.anchor.signed.load(Ordering::Relaxed));
        say(&error)
    })?;
    app.anchor.note(head.size, signed);
    if head.size <= signed {
        return Ok(());
    }
    if custody_head(app).map_err(|error| say(&error))? {
        // What was just recorded is under this signature already.
        head = ledger.head().map_err(|error| say(&error))?;
    }
    let request = CheckpointRequest {
        origin: origin.to_owned(),
        size: head.size,
        root: head.root,
        consistency: if signed == 0 {
            Vec::new()
        } else {
            ledger
                .consistency(signed, head.size)
                .map_err(|error| say(&error))?
        },
    };
    let checkpoint = app
        .keys
        .sign_checkpoint(&request)
        .map_err(|error| say(&error))?;
    ledger
        .store_checkpoint(&StoredCheckpoint {
            size: checkpoint.size,
            root: checkpoint.root,
            note: checkpoint.note,
            at: SystemClock.now(),
        })
        .map_err(|error| say(&error))?;
    app.anchor.note(head.size, checkpoint.size);
    Ok(())
}

/// Records the head of the custodian's own log where it has grown: whoever cuts
/// that log later is contradicted by this one. True if there was something to record.
fn custody_head(app: &App) -> Result<bool, StageError> {
    let now = app.keys.log_head()?;
    let mut known = app
        .custody_head
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if *known == Some(now) {
        return Ok(false);
    }
    let event = Event::new(
        EventKind::CustodyHead,
        SystemClock.now(),
        Actor::process("core"),
    )
    .detail(Key::Count, i64::try_from(now.seq).unwrap_or(i64::MAX))
    .detail(Key::Head, Value::hash(&now.hash));
    app.gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    *known = Some(now);
    Ok(true)
}
