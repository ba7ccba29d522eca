//! The `chancery` command: what people type.
//!
//! One room per command. Exit status 0: done; 1: refused or failed, with one
//! line on standard error that says what to do; 2: typed wrongly.
#![forbid(unsafe_code)]

mod args;
mod audit;
mod backup;
mod check;
mod demo;
mod failure;
mod files;
mod init;
mod key;
mod label;
mod mou;
mod officer;
mod officers;
mod out;
mod own_key;
mod participant;
mod person;
mod policy;
mod rest;
mod review;
mod ruling;
mod run;
mod signing;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use failure::Failure;

/// Reads what was typed, does it, and says with which status the process ends.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; clap knows the status of each.
            let status = u8::try_from(error.exit_code()).unwrap_or(2);
            let _told = error.print();
            return ExitCode::from(status);
        }
    };
    match dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.status())
        }
    }
}

fn dispatch(args: Args) -> Result<(), Failure> {
    let json = args.json;
    match args.command {
        Command::Demo(it) => demo::run(&it, json),
        Command::Init(it) => init::command(&it, json),
        Command::Run(it) => run::command(&it, json),
        Command::Check(it) => check::command(&it, json),
        Command::Send(it) => rest::send(&it, json),
        Command::Inbox(it) => rest::inbox(&it, json),
        Command::Status(it) => rest::status(&it, json),
        Command::Reply(it) => rest::reply(&it, json),
        Command::Forward(it) => rest::forward(&it, json),
        Command::Withdraw(it) => rest::withdraw(&it, json),
        Command::Recipients(it) => rest::recipients(&it, json),
        Command::Label(it) => label::command(&it, json),
        Command::Policy(it) => policy::command(&it, json),
        Command::Review(it) => review::command(&it, json),
        Command::Participant(it) => participant::command(&it, json),
        Command::Key(it) => key::command(&it, json),
        Command::Mou(it) => mou::command(&it, json),
        Command::Officer(it) => officer::command(&it, json),
        Command::Consent(it) => rest::consent(&it, json),
        Command::Backup(it) => backup::command(&it, json),
        Command::Restore(it) => backup::restore(&it, json),
        Command::Audit(it) => audit::command(&it, json),
    }
}
