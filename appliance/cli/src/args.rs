//! What is typed: the commands. Each command's own options stand in its room.

use clap::{Parser, Subcommand};

/// Chancery: a gateway for classified messages.
///
/// First look:      chancery demo
/// A new node:      chancery init DIR, then chancery run --config DIR/chancery.toml
/// A user's end:    chancery send | inbox | status | reply | forward | withdraw | recipients | consent
/// An officer's:    chancery review | key | audit | mou | participant | officer
/// Without a node:  chancery label | policy | audit verify | check
///
/// Exit status: 0 done, 1 refused or failed (one line says what to do), 2 typed wrongly.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, verbatim_doc_comment, max_term_width = 100)]
pub(crate) struct Args {
    /// Answers for machines: JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a whole gateway at work: example participants, real messages.
    Demo(crate::demo::Args),
    /// Makes a new node: settings, token, keys, certificates, rules, officers, database.
    Init(crate::init::Args),
    /// Runs all daemons of a node until SIGTERM; SIGHUP reads the rules again.
    Run(crate::run::Args),
    /// Says everything that is wrong with a node's settings, rules and directory.
    Check(crate::check::Args),
    /// Sends a message (or, with --check, asks who would get it).
    Send(crate::rest::args::Send),
    /// Lists, fetches and acknowledges what waits for you.
    Inbox(crate::rest::args::Inbox),
    /// Says what became of a message of yours.
    Status(crate::rest::args::One),
    /// Answers a message that was delivered to you.
    Reply(crate::rest::args::Reply),
    /// Passes on a message that was delivered to you.
    Forward(crate::rest::args::Forward),
    /// Takes back what is not yet delivered of a message of yours.
    Withdraw(crate::rest::args::One),
    /// Lists whom you may write to, and up to which level.
    Recipients(crate::rest::args::Mine),
    /// Reads, writes, translates, compares and binds labels. Needs no node.
    Label(crate::label::Args),
    /// Decides, tests and explains releases. Needs no node.
    Policy(crate::policy::Args),
    /// The officers' queue: list, show, approve, refuse, label, reject.
    Review(crate::review::Args),
    /// Your consent to onward releases of what you originated: list, grant, refuse.
    Consent(crate::rest::args::Consent),
    /// The agreements: list, show, propose, approve, suspend, resume, report.
    Mou(crate::mou::Args),
    /// The officers and their roles: list, propose, approve, suspend, resume, sign.
    Officer(crate::officer::Args),
    /// The directory: enrols participants with their keys; propose, approve, suspend, resume.
    Participant(crate::participant::Args),
    /// Custody: lists keys, proposes and approves what is done with them, inventory, forecast.
    Key(crate::key::Args),
    /// Backs up a running node, sealed and signed.
    Backup(crate::backup::Args),
    /// Restores a node from a backup, with its custodians' consent.
    Restore(crate::backup::RestoreArgs),
    /// The log: list, timeline, export; verify works on an export alone.
    Audit(crate::audit::Args),
}
