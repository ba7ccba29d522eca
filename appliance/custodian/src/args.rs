//! What is typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Holds the keys of a Chancery node.
///
/// Without a command it serves: `chancery run` or systemd starts it so. The
/// commands are for whoever sets up the token; they need the custodian stopped.
#[derive(Debug, Parser)]
#[command(name = "chancery-custodian", version)]
pub(crate) struct Args {
    /// The settings file (TOML): a whole file of the custodian, or one with a
    /// table `custodian`. Relative paths in it start at its folder.
    #[arg(long, value_name = "FILE", global = true, required = false)]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Initialise the token if it is empty, make the keys that are missing, and
    /// print what is there as JSON.
    Provision {
        /// The roles wanted, one a line (`kek/2/acme`, `tls/rest` …; `#` begins
        /// a comment); `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        roles_file: PathBuf,

        /// The security officer's PIN, needed for an empty token: a file of mode 0400.
        #[arg(long, value_name = "FILE")]
        officer_pin_file: Option<PathBuf>,

        /// Make PIN files that do not exist, with random PINs.
        #[arg(long)]
        make_pins: bool,
    },
    /// Log in, test every key, and print what is there as JSON.
    Keys,
    /// Try what the token can do, and print it: each plan, whether it works,
    /// and which mechanism is missing.
    Capabilities {
        /// For machines.
        #[arg(long)]
        json: bool,
    },
    /// Take the token that is there now for this node's, after it was exchanged
    /// or restored on purpose. Once custodians are enrolled they must have agreed.
    BindToken {
        /// The dossier (chancery key propose bind-token): what they agreed to.
        #[arg(value_name = "FILE")]
        dossier: Option<PathBuf>,
    },
    /// Enrol the first custodians: who may order what is done with keys, and
    /// how many of them must agree. Later the custodians change this themselves.
    Enrol {
        /// The roster, JSON: `{"needed": 2, "custodians": {"ID": "HEX POINT", …}}`.
        #[arg(long, value_name = "FILE")]
        roster: PathBuf,
    },
    /// Carry out what custodians approved and what needs the node stopped: a new
    /// PIN (from the file beside the present one, `FILE.next`).
    Perform {
        /// The dossier: the proposal with its approvals.
        #[arg(value_name = "FILE")]
        dossier: PathBuf,
    },
    /// Forget wrong PINs, after the right one was put in place.
    ResetTries,
}

impl Args {
    /// True for what a person typed.
    pub(crate) const fn is_command(&self) -> bool {
        self.command.is_some()
    }
}
