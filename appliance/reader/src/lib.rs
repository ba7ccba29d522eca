//! `chancery-reader`: reads what strangers sent, one message at a time.
//!
//! SECURITY: every byte that it looks at is hostile. It has its links and
//! nothing else: no network, no files, no database, no exec, no socket of its
//! own making. The mail reader may ask the custodian to decrypt; what it says of
//! a message counts as a stranger's words under the door's evidence. A message
//! that kills it twice, or that it reads for too long twice, is set aside by the door.
//!
//! STANDARDS: RFC 5322, 2045 to 2049, 3156, 9580, 9788 (mail); RFC 8259 (JSON);
//! XML 1.0 without DTD.
#![forbid(unsafe_code)]

mod besides;
mod channels;
mod senders;
mod serve;
mod start;
mod watch;

use std::process::ExitCode;

use chancery_hsm_api::DoorZone;
use clap::Parser;

pub use besides::{Besides, Inside, Nothing};

/// Reads what strangers sent. Started by `chancery run` or by systemd, never by hand.
#[derive(Debug, Parser)]
#[command(name = "chancery-reader", version)]
struct Args {
    /// The settings file.
    #[arg(long, value_name = "FILE")]
    config: std::path::PathBuf,
    /// The zone: mail, siena or rest.
    #[arg(long)]
    zone: DoorZone,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    main_with(&Nothing)
}

/// The same, for a program that does something besides: the tests' own.
#[must_use]
pub fn main_with(besides: &impl Besides) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    chancery_machine::start_log(
        &std::env::var("CHANCERY_LOG").unwrap_or_else(|_| "info".to_owned()),
    );
    match start::run(&args.config, args.zone, besides) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, zone = %args.zone, "the reader cannot go on");
            ExitCode::FAILURE
        }
    }
}
