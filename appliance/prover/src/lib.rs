//! Proofs about policy sets: what no release can ever be.
//!
//! ```text
//! rules (text) ─┐
//! invariants  ──┼─► symbolic compiler ─► SMT-LIB ─► solver ─► proved │ counterexample │ unknown
//! agreements  ──┘                                              the facts of a release, for people
//! ```
//!
//! What is proved is about the rule texts alone: the lattice in code, which
//! refuses beside them, is not asked. Nothing but an answer of the solver is a
//! proof: no solver, a time-out and an answer that cannot be read are failures.
//! For the officers' desk: no daemon links this.
#![forbid(unsafe_code)]

mod agreements;
mod counterexample;
mod invariants;
mod parts;
mod prove;
mod report;
mod sets;
mod solver;
mod words;

pub use counterexample::Counterexample;
pub use invariants::{INVARIANTS, Invariant};
pub use prove::{ProveError, Question, prove};
pub use report::{Claim, Outcome, Report};
pub use solver::{Solver, SolverError};
