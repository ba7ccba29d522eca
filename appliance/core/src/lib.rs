//! `chancery-core`: labels, decides, seals, queues, renders; signs and encrypts
//! through the custodian.
//!
//! SECURITY: trusted with plaintext, one message at a time, and with the
//! database. It has no internet address family, no PKCS#11, no exec. What a
//! door says of its peer it believes (law: a door that is compromised can lie
//! about its peer); what a reader says of a message it takes as a stranger's
//! words, under the evidence that the door gave.
//!
//! STANDARDS: RFC 6962 (audit log), C2SP tlog-checkpoint, EUCI registry practice
//! (Council Decision 2013/488/EU, Commission Decision (EU, Euratom) 2015/444).
#![forbid(unsafe_code)]

mod admin;
mod algorithms;
mod app;
mod asks;
mod checkpoints;
mod condition;
mod consents;
mod doors;
mod files;
mod foresight;
mod keys;
mod letter;
mod mailer;
mod readers;
mod reminders;
mod replies;
mod rewrap;
mod rules;
mod ruling;
mod start;
mod tickets;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Decides. Started by `chancery run` or by systemd, never by hand.
#[derive(Debug, Parser)]
#[command(name = "chancery-core", version)]
struct Args {
    /// The settings file.
    #[arg(long, value_name = "FILE")]
    config: std::path::PathBuf,
    /// Only create the node's empty database, for `chancery init`.
    #[arg(long)]
    create: bool,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    chancery_machine::start_log(
        &std::env::var("CHANCERY_LOG").unwrap_or_else(|_| "info".to_owned()),
    );
    let done = if args.create {
        start::create(&args.config)
    } else {
        start::run(&args.config)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "core cannot go on");
            ExitCode::FAILURE
        }
    }
}
