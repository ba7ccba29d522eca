//! The way of one message: [`route`] tells it, every stage is a file beside it,
//! the [`ports`] say what it needs of the world.
#![forbid(unsafe_code)]

pub mod outcome;
pub mod ports;
pub mod protocol;
pub mod rows;
pub mod view;
