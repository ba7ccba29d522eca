//! The one writer: takes what waits, writes it in one transaction, answers.
//!
//! ```text
//! grouped     all steps of the batch in few statements, one COMMIT
//!   └─ a step fails → roll back
//! parted      one transaction; what asks for something taken is answered, the rest is
//!             halved in savepoints until only steps that fail are out
//!   └─ the transaction itself fails (disk full) → roll back
//! alone       each step in its own transaction
//! ```

mod batch;
mod published;
mod rows;
mod session;
mod taken;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use chancery_audit::LogId;
use chancery_pipeline::ports::{Committed, LedgerError, Step, StoredCheckpoint, Write};

pub(crate) use published::Published;
pub(crate) use session::Session;

use batch::{Doubt, Mode, Stop};
use session::Settled;

use crate::config::StoreConfig;
use crate::fault::Fault;
use crate::probe::Probes;

/// What the writer is asked for.
pub(crate) enum Order {
    /// Something to write.
    Job(Job),
    /// Answer what came before, then end.
    Stop,
}

/// Something to write, and who waits for it.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) answer: SyncSender<Result<Committed, LedgerError>>,
}

/// What is to be written.
pub(crate) enum Work {
    /// A step.
    Step(Box<Step>),
    /// A signed checkpoint.
    Checkpoint(Box<StoredCheckpoint>),
    /// More registration numbers: every transaction reserves some.
    Reserve,
}

pub(crate) struct Writer {
    session: Session,
    published: Arc<Published>,
    log: LogId,
    batch_steps: usize,
    batch_bytes: usize,
    probes: Probes,
}

/// What is published when a transaction is done.
struct Outcome {
    staged: chancery_audit::Staged,
    epoch: u64,
    registration: u64,
}

type Answers = Vec<Result<Committed, LedgerError>>;

// === impl Writer ===

impl Writer {
    pub(crate) fn new(
        session: Session,
        published: Arc<Published>,
        log: LogId,
        config: &StoreConfig,
    ) -> Self {
        Self {
            session,
            published,
            log,
            batch_steps: config.batch_steps.max(1),
            batch_bytes: config.batch_bytes,
            probes: config.probes.clone(),
        }
    }

    pub(crate) fn run(mut self, queue: &Receiver<Order>) {
        while let Ok(Order::Job(first)) = queue.recv() {
            let mut bytes = first.work.weight();
            let mut jobs = vec![first];
            let mut last = false;
            while jobs.len() < self.batch_steps && bytes < self.batch_bytes {
                match queue.try_recv() {
                    Ok(Order::Job(job)) => {
                        bytes += job.work.weight();
                        jobs.push(job);
                    }
                    Ok(Order::Stop) => {
                        last = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.write(&jobs);
            if last {
                break;
            }
        }
        self.session.close(self.published.next_unused());
    }

    /// Writes a batch and answers everyone in it.
    fn write(&mut self, jobs: &[Job]) {
        let mut mode = Mode::Grouped;
        // After a connection that was lost, once more on a new one.
        let mut again = true;
        let fault = loop {
            match self.attempt(jobs, mode) {
                Ok(answers) => return answer(jobs, answers),
                Err(Stop::Step(_)) if mode == Mode::Grouped => mode = Mode::Parted,
                Err(Stop::Step(fault)) => match jobs {
                    [_] => break fault.into(),
                    _ => return jobs.chunks(1).for_each(|job| self.write(job)),
                },
                Err(Stop::Lost(fault)) => {
                    self.session.lose();
                    if !std::mem::take(&mut again) {
                        break fault.into();
                    }
                }
                Err(Stop::All(fault)) => {
                    if fault == Fault::Superseded {
                        self.session.give_up();
                    }
                    break fault.into();
                }
                Err(Stop::Unknown(doubt)) => {
                    let Doubt {
                        outcome,
                        answers,
                        fault,
                    } = *doubt;
                    tracing::warn!(%fault, "the answer to a commit was lost");
                    self.session.doubt(outcome);
                    match self.settle() {
                        Ok(Settled::Done) => return answer(jobs, answers),
                        Ok(Settled::Undone) if std::mem::take(&mut again) => {}
                        Ok(Settled::Undone) => break LedgerError::Unavailable(fault),
                        Err(worse) => break LedgerError::UnknownOutcome(worse.to_string()),
                    }
                }
            }
        };
        tracing::warn!(steps = jobs.len(), %fault, "nothing was written");
        answer(jobs, jobs.iter().map(|_| Err(fault.clone())).collect());
    }

    /// Makes sure of a connection, and of what became of the transaction whose
    /// end is not known.
    fn settle(&mut self) -> Result<Settled, LedgerError> {
        let (settled, outcome) = self.session.settle()?;
        if let Some(outcome) = outcome {
            self.publish(outcome)?;
        }
        Ok(settled)
    }

    fn publish(&self, outcome: Outcome) -> Result<(), LedgerError> {
        self.published
            .advance(outcome)
            .map_err(|error| LedgerError::Corrupt(error.to_string()))
    }
}

/// One answer for each; who no longer waits is not told.
fn answer(jobs: &[Job], answers: Answers) {
    for (job, answer) in jobs.iter().zip(answers) {
        job.answer.try_send(answer).ok();
    }
}

// === impl Work ===

impl Work {
    /// Bytes that it writes, about.
    fn weight(&self) -> usize {
        match self {
            Self::Step(step) => {
                let rows: usize = step.writes.iter().map(weight_of).sum();
                rows + step.events.len() * 1024
            }
            Self::Checkpoint(_) | Self::Reserve => 1024,
        }
    }
}

fn weight_of(write: &Write) -> usize {
    256 + match write {
        Write::InsertMessage(row) | Write::UpdateMessage(row) => {
            row.document.len() + row.sealed.len()
        }
        Write::InsertDelivery(row) | Write::UpdateDelivery(row) => row.document.len(),
        Write::InsertBody(row) | Write::UpdateBody(row) => row.document.len(),
        Write::InsertSegment(row) => row.sealed.len(),
        Write::InsertCase(row) | Write::UpdateCase(row) => row.document.len(),
        Write::InsertVote(row) => row.document.len(),
        Write::InsertDocument(row) => row.document.len(),
        Write::DeleteBody(_)
        | Write::CloseKek { .. }
        | Write::InsertIndex { .. }
        | Write::InsertIdempotency(_)
        | Write::ForgetIdempotency(_)
        | Write::InsertNonce(_) => 0,
    }
}
