//! Keys in a PKCS#11 token: the one crate that names cryptoki.
//!
//! [`Module`] is the loaded library, one per process. [`Token`] is one token
//! in it, logged in, and implements every capability of `chancery-hsm-api`.
//! Private and secret keys are generated in the token and never leave it; what
//! each may do is fixed by its template and checked whenever it is looked up.
#![forbid(unsafe_code)]

mod config;
mod content;
mod fault;
mod health;
mod keys;
mod life;
mod mac;
mod mechanism;
mod module;
mod names;
mod pairs;
mod personal;
mod pin;
mod pool;
mod provision;
mod random;
mod selftest;
mod template;
mod token;
mod tries;
mod wrap;

pub use config::{Quirks, TokenConfig};
pub use module::{Module, TokenIdentity};
pub use personal::PersonalKey;
pub use pin::{Pin, PinError};
pub use token::Token;
pub use tries::{MAX_UNFINISHED, MAX_WRONG, Tries};
