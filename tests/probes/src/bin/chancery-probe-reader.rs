//! The reader, which tries.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use chancery_hsm_api::DoorZone;
use chancery_probes::{ask, machine, obey, told};
use chancery_reader::{Besides, Inside};

struct Probe;

impl Besides for Probe {
    fn begins(&self, inside: &Inside<'_>) {
        let process = format!("reader-{}", inside.zone);
        machine(&process, inside.settings);
        match inside.custody {
            Some(custody) => {
                for (what, outcome) in ask::all(custody, None, inside.zone == DoorZone::Mail) {
                    told::tell(&process, &format!("ask-{what}"), &outcome);
                }
            }
            // Who has no link of its own tries that of the mail reader.
            None => {
                let outcome = ask::link(inside.links, "custodian.reader-mail");
                told::tell(&process, "link-custodian", &outcome);
            }
        }
    }

    fn reads(&self, raw: &[u8]) {
        obey(raw);
    }
}

fn main() -> ExitCode {
    chancery_reader::main_with(&Probe)
}
