//! What the tests share: a database of either kind, rows to put into it.

pub mod postgres;
pub mod rows;
pub mod world;
