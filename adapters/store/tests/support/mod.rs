//! What the tests share: a database of either kind, rows to put into it.

// One starter for all tests; it needs nothing of its crate.
#[path = "../../../../tests/world/src/postgres.rs"]
pub mod postgres;
pub mod rows;
pub mod world;
