//! `chancery key`: custody. What is done with keys is proposed, approved by m
//! of n custodians and carried out by the custodian, which counts them itself.

pub(crate) mod custody;
mod dossier;
mod forecast;
mod inventory;
mod show;
mod watch;

use std::path::PathBuf;

use chancery_hsm_api::KeyRole;
use clap::Subcommand;

use crate::failure::Failure;
use crate::officers::Desk;

/// Looks at keys, proposes what is done with them, approves it.
///
/// No single person orders anything done with a key. One custodian proposes,
/// others approve, and the custodian process carries it out when enough
/// distinct ones did:
///
///   chancery key rotate kek/2/acme --out f.json --officer anna --key anna.key
///   chancery key approve f.json --officer bruno --key bruno.key
///   chancery key perform f.json
///
/// The file is the proposal with its approvals; it goes from hand to hand.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

/// A role's key, and where the proposal goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Next {
    /// The role, for example kek/2/acme or tls/rest (chancery key list).
    role: KeyRole,
    #[command(flatten)]
    to: Out,
}

/// One generation of a role's key, and where the proposal goes.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The role, for example kek/2/acme or tls/rest (chancery key list).
    role: KeyRole,
    /// The generation, as the list shows it.
    generation: u32,
    #[command(flatten)]
    to: Out,
}

/// Where the proposal goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Out {
    /// The file that is made: the proposal, with your approval if you name
    /// yourself by --officer and --key.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Hours in which it must be carried out, at most 168.
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists all keys: state, since when, until when, what is still under them.
    List {
        /// Destroyed ones too.
        #[arg(long)]
        all: bool,
    },
    /// Shows all generations of one role.
    Show {
        /// The role.
        role: KeyRole,
    },
    /// Shows what the token can do: for each role the plans, which one is used,
    /// and which mechanisms are missing for the others.
    Capabilities,
    /// Proposes the next generation of a key; it is not used before `activate`.
    ///
    /// For key pairs: generate, export-public, certify, put the certificate in
    /// place, activate.
    Generate(Next),
    /// Proposes that a generation be used from now on.
    Activate(One),
    /// Proposes the next generation of a KEK or of a digest key, used at once.
    ///
    /// What is under the old one is still opened, and is rewrapped when it is
    /// opened and in the background. --progress shows how far that is.
    Rotate {
        /// The role, for example kek/2/acme.
        role: KeyRole,
        /// Shows the rewrapping under way until it is done; proposes nothing.
        #[arg(long)]
        progress: bool,
        /// The file that is made.
        #[arg(long, value_name = "FILE", required_unless_present = "progress")]
        out: Option<PathBuf>,
        /// Hours in which it must be carried out, at most 168.
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// Proposes that nothing be made with a generation any more.
    Retire(One),
    /// Proposes the end of a generation, for ever.
    ///
    /// Refused while the key is in use, and for a KEK while anything is under it.
    Destroy(One),
    /// Proposes anything else that needs several custodians.
    Propose {
        #[command(subcommand)]
        what: Other,
    },
    /// Adds your approval to a proposal, after showing what it is.
    Approve {
        /// The proposal with its approvals so far.
        file: PathBuf,
        /// Refuses it instead: then it is never carried out.
        #[arg(long)]
        refuse: bool,
    },
    /// Has the custodian carry out what enough custodians approved.
    Perform {
        /// The proposal with its approvals.
        file: PathBuf,
    },
    /// Prints all keys and certificates as a CycloneDX 1.6 bill of materials (CBOM).
    Inventory,
    /// Lists what will end: keys, certificates, revocation lists, partners'
    /// OpenPGP certificates, MoUs, clearances; which routes stop, what to do.
    Forecast {
        /// How far to look.
        #[arg(long, default_value_t = 400)]
        days: u32,
    },
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Gives out the public half of a key pair, to have it certified.
    ExportPublic(One),
    /// Other custodians, or another number that must agree.
    Roster {
        /// The whole roster, JSON: {"needed": 2, "custodians": {"ID": "HEX POINT"}}.
        roster: PathBuf,
        #[command(flatten)]
        to: Out,
    },
    /// Takes requests away from clients; without any, gives all back.
    RoleTable {
        /// CLIENT:OPERATION, for example door/rest:public-key.
        denied: Vec<String>,
        #[command(flatten)]
        to: Out,
    },
    /// A new PIN for the token: put it beside the PIN file as FILE.next (mode
    /// 0400), stop the node, then: chancery-custodian perform FILE.
    ChangePin {
        #[command(flatten)]
        to: Out,
    },
    /// Another token for this node, after the old one was exchanged: stop the
    /// node, then: chancery-custodian bind-token FILE.
    BindToken {
        /// The serial number of the token.
        serial: String,
        #[command(flatten)]
        to: Out,
    },
    /// Restores a backup: chancery restore asks for this proposal, approved.
    Restore {
        /// The backup.
        backup: PathBuf,
        #[command(flatten)]
        to: Out,
    },
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let desk = &args.desk;
    match &args.command {
        Command::List { all } => show::list(desk, *all, json),
        Command::Show { role } => show::one(desk, role, json),
        Command::Capabilities => show::capabilities(desk, json),
        Command::Rotate {
            role,
            progress: true,
            ..
        } => watch::rewrapping(desk, role, json),
        Command::Inventory => inventory::print(desk),
        Command::Forecast { days } => forecast::print(desk, *days, json),
        Command::Approve { file, refuse } => dossier::approve(desk, file, *refuse, json),
        Command::Perform { file } => dossier::perform(desk, file, json),
        Command::Generate(_)
        | Command::Activate(_)
        | Command::Rotate { .. }
        | Command::Retire(_)
        | Command::Destroy(_)
        | Command::Propose { .. } => propose(desk, &args.command, json),
    }
}

fn propose(desk: &Desk, command: &Command, json: bool) -> Result<(), Failure> {
    use chancery_hsm_custodian::Ceremony;
    let next = |role: &KeyRole| show::next(desk, role);
    let (operation, out, hours) = match command {
        Command::Generate(Next { role, to }) => (
            Ceremony::Generate {
                role: role.clone(),
                generation: next(role)?,
            },
            &to.out,
            to.hours,
        ),
        Command::Rotate {
            role,
            out: Some(out),
            hours,
            ..
        } => (
            Ceremony::Rotate {
                role: role.clone(),
                generation: next(role)?,
            },
            out,
            *hours,
        ),
        Command::Activate(one) => (
            Ceremony::Activate {
                role: one.role.clone(),
                generation: one.generation,
            },
            &one.to.out,
            one.to.hours,
        ),
        Command::Retire(one) => (
            Ceremony::Retire {
                role: one.role.clone(),
                generation: one.generation,
            },
            &one.to.out,
            one.to.hours,
        ),
        Command::Destroy(one) => (
            Ceremony::Destroy {
                role: one.role.clone(),
                generation: one.generation,
            },
            &one.to.out,
            one.to.hours,
        ),
        Command::Propose { what } => dossier::other(what)?,
        _ => return Err(Failure::usage("--out FILE: where the proposal goes")),
    };
    dossier::propose(desk, operation, out, hours, json)
}
