//! Benchmarks: `cargo run --release -p chancery-bench -- NAME`, or all of
//! them without a name. They print what they measured and assert nothing: a
//! machine that is busy or slow is no fault of the code. `docs/benchmarks.md`
//! keeps what was measured and what it is held against.
//!
//! To add a subject: a room beside this file with `pub(crate) fn run(_: &[String])`,
//! and a row in [`SUBJECTS`].
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement prints, and may end where it fails"
)]

mod alone;
mod custody;
mod decisions;
mod far;
mod flow;
mod labels;
mod large;
mod mail;
mod measure;
mod node;
mod pieces;
#[path = "../../../gateway/policy/tests/common/random.rs"]
mod random;
mod view;

/// What can be measured.
struct Subject {
    /// What people type.
    name: &'static str,
    /// One line of the help.
    about: &'static str,
    /// Measures and prints; gets the arguments after the name.
    run: fn(&[String]),
}

const SUBJECTS: &[Subject] = &[
    Subject {
        name: "labels",
        about: "parse and format per second for each syntax, compare per second",
        run: labels::run,
    },
    Subject {
        name: "decisions",
        about: "decisions per second as participants, MoUs and articles grow; replay",
        run: decisions::run,
    },
    Subject {
        name: "flow",
        about: "small messages end to end, and `check`: latency and messages per second [MESSAGES]",
        run: flow::run,
    },
    Subject {
        name: "custody",
        about: "the token's operations, direct and through the custodian's socket; handshakes [SECONDS]",
        run: custody::run,
    },
    Subject {
        name: "large",
        about: "a large attachment in and out by REST, and peak memory [MEBIBYTES]",
        run: large::run,
    },
];

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("alone", rest)) = arguments
        .split_first()
        .map(|(name, rest)| (name.as_str(), rest))
    {
        alone::run(rest);
        return std::process::ExitCode::SUCCESS;
    }
    if let Some(("custody-alone", rest)) = arguments
        .split_first()
        .map(|(name, rest)| (name.as_str(), rest))
    {
        custody::alone(rest);
        return std::process::ExitCode::SUCCESS;
    }
    let chosen: Vec<&Subject> = match arguments.first().map(String::as_str) {
        None => SUBJECTS.iter().collect(),
        Some(name) => SUBJECTS.iter().filter(|one| one.name == name).collect(),
    };
    if chosen.is_empty() {
        eprintln!("usage: cargo run --release -p chancery-bench -- [NAME [ARGUMENTS]]");
        for Subject { name, about, .. } in SUBJECTS {
            eprintln!("  {name:<12} {about}");
        }
        return std::process::ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        println!("a debug build: figures are not those of a release");
    }
    for Subject { name, about, run } in chosen {
        println!("\n== {name}: {about}");
        run(arguments.get(1..).unwrap_or_default());
    }
    std::process::ExitCode::SUCCESS
}
