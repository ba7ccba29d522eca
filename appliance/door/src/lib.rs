//! `chancery-door`: talks to strangers. TLS, protocol framing, size and rate
//! limits; finished parcels go to reader and core. It never parses content.
//!
//! SECURITY: exposed to everybody who can reach its port. It has its port, its
//! links, and (mail) the relay's port; no database, no PKCS#11, no exec; its
//! TLS key is in the token. A door that is compromised can lie about its peer.
//!
//! STANDARDS: RFC 8446 (TLS 1.3), RFC 5321 and 2033 (SMTP, LMTP), RFC 3207
//! (STARTTLS), RFC 9110 to 9113 (HTTP).
#![forbid(unsafe_code)]

mod channels;
mod condition;
mod gate;
mod listen;
mod outbound;
mod peers;
mod start;
mod tls;

use std::process::ExitCode;

use chancery_hsm_api::DoorZone;
use clap::Parser;

pub use start::Inside;

/// Talks to strangers. Started by `chancery run` or by systemd, never by hand.
#[derive(Debug, Parser)]
#[command(name = "chancery-door", version)]
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
    main_with(|_| ())
}

/// The same, for a program that does something besides when it begins to
/// serve, sandboxed: the tests' own.
#[must_use]
pub fn main_with(begins: impl FnOnce(&Inside<'_>)) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    chancery_machine::start_log(
        &std::env::var("CHANCERY_LOG").unwrap_or_else(|_| "info".to_owned()),
    );
    match start::run(&args.config, args.zone, begins) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, zone = %args.zone, "the door cannot go on");
            ExitCode::FAILURE
        }
    }
}
