//! The way of one message: the route tells it, every stage is a file beside
//! it, the [`ports`] say what it needs of the world.
#![forbid(unsafe_code)]

mod carriage;
pub mod desk;
pub mod documents;
pub mod gateway;
pub mod held;
pub mod judgement;
pub mod officers;
pub mod outcome;
pub mod ports;
pub mod protocol;
mod rowmac;
pub mod rows;
pub mod rulebook;
pub mod rules;
mod sender;
pub mod stages;
pub mod underway;
pub mod vault;
pub mod view;
