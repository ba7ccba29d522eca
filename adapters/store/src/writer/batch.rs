//! One transaction: many steps become few statements.

use chancery_audit::{Hash, Record, leaf_hash};
use chancery_pipeline::ports::{Committed, Guard, LedgerError, Step, Write};

use super::rows::Rows;
use super::taken::{Taken, explain};
use super::{Answers, Job, Outcome, Work, Writer};
use crate::connection::Db;
use crate::fault::{Done, Fault};
use crate::probe::{Act, Point};
use crate::tables::{audit, column, node};

/// How the steps of a batch share their transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Rows of all steps together. A step that fails ends the attempt.
    Grouped,
    /// Steps that ask for what is taken are answered first; the others in one
    /// savepoint, which is parted in halves until only steps that fail are out.
    Parted,
}

/// Why an attempt ended without an answer for each step.
pub(super) enum Stop {
    /// A step failed; which one is not known.
    Step(Fault),
    /// The connection was lost before COMMIT was sent.
    Lost(Fault),
    /// It concerns all steps alike.
    All(Fault),
    /// COMMIT was sent, its answer did not come.
    Unknown(Box<Doubt>),
}

/// What is to be published and answered, should the transaction turn out to be done.
pub(super) struct Doubt {
    pub(super) outcome: Outcome,
    pub(super) answers: Answers,
    pub(super) fault: String,
}

/// Where log and epoch stand within the transaction.
#[derive(Clone, Copy)]
struct Books {
    seq: u64,
    epoch: u64,
}

// === impl Writer ===

impl Writer {
    /// Tries a batch in one transaction.
    pub(super) fn attempt(&mut self, jobs: &[Job], mode: Mode) -> Result<Answers, Stop> {
        self.settle()
            .map_err(|error| Stop::All(Fault::Refused(reason(error))))?;
        let registration = self.published.numbers_to_reserve();
        let tree = self.published.tree();
        let claim = self.session.claim().clone();
        let db = self.session.db().map_err(Stop::Lost)?;
        let begun = db
            .begin()
            .and_then(|()| node::advance(db, &claim, registration));
        let epoch = begun.map_err(|fault| undo(db, fault, Stop::All))?;
        let first = Books {
            seq: tree.size(),
            epoch,
        };
        let mut batch = Batch {
            log: &self.log,
            log_id: &claim.log_id,
            books: first,
            hashes: Vec::new(),
        };
        let answers = batch
            .apply(db, jobs, mode)
            .map_err(|fault| undo(db, fault, Stop::Step))?;
        self.published.saw_epoch(epoch);

        if answers.iter().all(Result::is_err) {
            // Nothing to write: the books stay as they were, too.
            return match db.rollback() {
                Ok(()) => Ok(answers),
                Err(fault) => Err(Stop::Lost(fault)),
            };
        }
        if batch.books.epoch != epoch {
            node::set_epoch(db, batch.books.epoch).map_err(|fault| undo(db, fault, Stop::All))?;
        }
        let outcome = Outcome {
            staged: tree.stage(&batch.hashes),
            epoch: batch.books.epoch,
            registration,
        };
        // Or publishing would have to copy it.
        drop(tree);

        let mut ended = match self.probes.at(Point::BeforeCommit) {
            Act::Lose => Err(Fault::Lost("lost before COMMIT, for a test".into())),
            Act::Go => db.commit(),
        };
        if self.probes.at(Point::AfterCommit) == Act::Lose {
            ended = Err(Fault::Lost("lost after COMMIT, for a test".into()));
        }
        match ended {
            Ok(()) => {}
            // The database has said no (the disk is full): it is not done.
            Err(fault @ Fault::Refused(_)) => return Err(undo(db, fault, Stop::Step)),
            Err(fault) => {
                let fault = reason(fault.into());
                return Err(Stop::Unknown(Box::new(Doubt {
                    outcome,
                    answers,
                    fault,
                })));
            }
        }
        self.session.advance();
        self.publish(outcome)
            .map_err(|error| Stop::All(Fault::Damaged(reason(error))))?;
        Ok(answers)
    }
}

/// Rolls back; a connection that cannot is lost.
fn undo(db: &mut Db, fault: Fault, otherwise: fn(Fault) -> Stop) -> Stop {
    match (db.rollback(), fault) {
        (_, fault @ Fault::Lost(_)) => Stop::Lost(fault),
        (Ok(()), fault) => otherwise(fault),
        // SQLite has rolled back by itself where the disk is full.
        (Err(Fault::Refused(_)), fault) => otherwise(fault),
        (Err(_), fault) => Stop::Lost(fault),
    }
}

fn reason(error: LedgerError) -> String {
    match error {
        LedgerError::Unavailable(text)
        | LedgerError::UnknownOutcome(text)
        | LedgerError::Corrupt(text) => text,
        other => other.to_string(),
    }
}

// === one transaction's steps ===

struct Batch<'b> {
    log: &'b chancery_audit::LogId,
    log_id: &'b str,
    books: Books,
    /// Leaf hashes of the steps that are in.
    hashes: Vec<Hash>,
}

/// Why a step is not in.
enum Stopped {
    /// A guard does not hold; nothing was touched.
    Guard,
    Fault(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<'b> Batch<'b> {
    fn apply(&mut self, db: &mut Db, jobs: &'b [Job], mode: Mode) -> Done<Answers> {
        let jobs: Vec<&'b Job> = jobs.iter().collect();
        match mode {
            Mode::Grouped => self.group(db, &jobs),
            Mode::Parted => {
                let taken = Taken::of(db, &jobs)?;
                let (mut refused, mut rest) = (Vec::new(), Vec::new());
                for (place, job) in jobs.into_iter().enumerate() {
                    match taken.by(&job.work, self.books.epoch) {
                        Some(what) => {
                            let error = explain(db, &job.work, Fault::Duplicate(what))?;
                            refused.push((place, Err(error)));
                        }
                        None => rest.push(job),
                    }
                }
                let mut answers = Vec::with_capacity(rest.len() + refused.len());
                self.part(db, &rest, &mut answers)?;
                // Ascending places: each insertion puts its answer where it belongs.
                for (place, answer) in refused {
                    answers.insert(place, answer);
                }
                Ok(answers)
            }
        }
    }

    /// All together; the first that fails ends it.
    fn group(&mut self, db: &mut Db, jobs: &[&'b Job]) -> Done<Answers> {
        let mut rows = Rows::default();
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            answers.push(match self.add(db, &job.work, &mut rows) {
                Ok(committed) => Ok(committed),
                Err(Stopped::Guard) => Err(LedgerError::Conflict),
                Err(Stopped::Fault(fault)) => return Err(fault),
            });
        }
        rows.flush(db)?;
        Ok(answers)
    }

    /// All together in a savepoint; if one fails, each half by itself.
    fn part(&mut self, db: &mut Db, jobs: &[&'b Job], answers: &mut Answers) -> Done {
        let (books, leaves) = (self.books, self.hashes.len());
        db.run("SAVEPOINT part")?;
        let fault = match self.group(db, jobs) {
            Ok(done) => {
                answers.extend(done);
                return db.run("RELEASE SAVEPOINT part");
            }
            Err(fault @ Fault::Lost(_)) => return Err(fault),
            Err(fault) => fault,
        };
        self.books = books;
        self.hashes.truncate(leaves);
        // Where the whole transaction is gone this fails, and the steps are
        // tried one by one.
        db.run("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
            .map_err(|_| fault.clone())?;
        if let [job] = jobs {
            answers.push(Err(explain(db, &job.work, fault)?));
            return Ok(());
        }
        let (left, right) = jobs.split_at(jobs.len() / 2);
        self.part(db, left, answers)?;
        self.part(db, right, answers)
    }

    /// Puts a step's rows and leaves with the others.
    fn add(
        &mut self,
        db: &mut Db,
        work: &'b Work,
        rows: &mut Rows<'b>,
    ) -> Result<Committed, Stopped> {
        let first_seq = self.books.seq;
        match work {
            Work::Step(step) => self.add_step(db, step, rows)?,
            Work::Checkpoint(stored) => audit::insert_checkpoint(db, self.log_id, stored)?,
            Work::Reserve => {}
        }
        Ok(Committed {
            first_seq,
            epoch: self.books.epoch,
        })
    }

    fn add_step(
        &mut self,
        db: &mut Db,
        step: &'b Step,
        rows: &mut Rows<'b>,
    ) -> Result<(), Stopped> {
        let holds = |guard: &Guard| match guard {
            Guard::Epoch(epoch) => *epoch == self.books.epoch,
        };
        if !step.guards.iter().all(holds) {
            return Err(Stopped::Guard);
        }
        for write in &step.writes {
            rows.add(db, write)?;
            if matches!(write, Write::InsertDocument(_)) {
                self.books.epoch += 1;
            }
        }
        for event in &step.events {
            let record = Record::new(self.log, self.books.seq, event.clone()).encode();
            let hash = leaf_hash(&record);
            rows.leaves.push(audit::Put {
                log_id: self.log_id,
                seq: column::number(self.books.seq)?,
                leaf_hash: hash.to_vec(),
                message: event.message.as_ref().map(|id| id.as_bytes().as_slice()),
                delivery: event.delivery.as_ref().map(|id| id.as_bytes().as_slice()),
                record,
            });
            self.hashes.push(hash);
            self.books.seq += 1;
        }
        Ok(())
    }
}
