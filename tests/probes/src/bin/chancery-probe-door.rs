//! The door, which tries.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use chancery_door::Inside;
use chancery_probes::{ask, machine, told};

fn begins(inside: &Inside<'_>) {
    let process = format!("door-{}", inside.zone);
    machine(&process, inside.settings);
    for (what, outcome) in ask::all(inside.custody, Some(inside.zone), false) {
        told::tell(&process, &format!("ask-{what}"), &outcome);
    }
}

fn main() -> ExitCode {
    chancery_door::main_with(begins)
}
