//! The process that holds keys: it loads the PKCS#11 module, logs in, gives up
//! everything else, and answers by role what its sockets are asked for.
//!
//! Security: this process knows the PIN and speaks to the token. It reads no
//! message and no database, has no network (but for a network HSM), and starts
//! no program. What comes from its sockets is read by a strict decoder and
//! looked up in the role table of `chancery-hsm-custodian`.
#![forbid(unsafe_code)]

mod args;
mod clock;
mod commands;
mod environment;
mod error;
mod house;
mod memory;
mod office;
mod serve;
mod settings;
mod watch;

pub use error::Failure;
pub use serve::answer_link;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

/// What is logged: by `RUST_LOG`, else `info`. The library that speaks to the
/// token calls each mechanism that it does not know an error; what is missing is
/// told by the matrix.
fn filter() -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    match "cryptoki::mechanism=off".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    }
}

/// The program: arguments, settings, command. Says on standard error what to
/// do where it fails.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything secret is read: no core file, no look from outside.
    let hidden = memory::hide();
    let args = args::Args::parse();
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_env_filter(filter())
        .init();
    match hidden.and_then(|()| commands::run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(%failure, "the custodian cannot go on");
            if args.is_command() {
                use std::io::Write as _;
                let told = writeln!(std::io::stderr(), "chancery-custodian: {failure}");
                drop(told);
            }
            ExitCode::FAILURE
        }
    }
}
