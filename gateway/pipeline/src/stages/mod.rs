//! The stations of the route, one file each.

pub mod accept;
pub mod authenticate;
pub mod claim;
mod commit;
pub mod consent;
mod draft;
pub mod due;
pub mod forward;
pub mod history;
pub mod idempotency;
pub mod label;
pub mod opened;
pub mod orders;
pub mod person;
mod portions;
pub mod protection;
pub mod quarantine;
mod queue;
pub mod reading;
pub mod receipt;
pub(crate) mod registry;
pub mod relabel;
pub mod release;
pub mod review;
pub mod rewrap;
mod sources;
pub mod upload;
