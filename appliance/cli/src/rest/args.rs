//! What users type.

use std::path::PathBuf;

use clap::Args;

/// Whose end it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Mine {
    /// Your client profile: TOML with url, certificate, key and ca.
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: PathBuf,
}

/// What a message is, beside its text.
#[derive(Clone, Debug, Args)]
pub(crate) struct Message {
    /// A recipient for action; may be given again.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// A recipient for information; may be given again.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) cc: Vec<String>,
    /// The label as marking text: say UNCLASSIFIED where it is.
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// What it is about: one line.
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    /// For what it is passed on: cyber-crisis, law-enforcement, diplomacy, …
    #[arg(long, value_name = "PURPOSE")]
    pub(crate) purpose: Option<String>,
    /// Personal data is in it (taken for granted unless you say otherwise).
    #[arg(long, conflicts_with = "no_personal_data")]
    pub(crate) personal_data: bool,
    /// No personal data is in it.
    #[arg(long)]
    pub(crate) no_personal_data: bool,
    /// A file to attach; may be given again. Larger ones are uploaded first.
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// The label of one attachment, by its file name: NAME=TEXT. The message's
    /// label is raised to cover it.
    #[arg(long, value_name = "NAME=TEXT", requires = "attach")]
    pub(crate) attach_label: Vec<String>,
    /// routine, priority, immediate or flash.
    #[arg(long, value_name = "WORD")]
    pub(crate) precedence: Option<String>,
    /// Your own reference.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// A message that this one is derived from; may be given again.
    #[arg(long, value_name = "ID")]
    pub(crate) derived_from: Vec<String>,
    /// Source and information codes, for example B2.
    #[arg(long, value_name = "CODES")]
    pub(crate) evaluation: Option<String>,
    /// The originator, where that is not you.
    #[arg(long, value_name = "ID")]
    pub(crate) originator: Option<String>,
    /// The key under which a repeated request is done once; one is made.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// `chancery send`
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) mine: Mine,
    /// The text; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) message: Message,
    /// Only asks who may get it, and why not; sends nothing.
    #[arg(long)]
    pub(crate) check: bool,
}

/// `chancery reply`
#[derive(Debug, Args)]
pub(crate) struct Reply {
    #[command(flatten)]
    pub(crate) mine: Mine,
    /// The delivery that is answered.
    pub(crate) id: String,
    /// The text; `-` reads standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) message: Message,
}

/// `chancery forward`
#[derive(Debug, Args)]
pub(crate) struct Forward {
    #[command(flatten)]
    pub(crate) mine: Mine,
    /// The delivery that is passed on.
    pub(crate) id: String,
    /// A covering text; `-` reads standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) message: Message,
}

/// One message.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    pub(crate) mine: Mine,
    /// The message.
    pub(crate) id: String,
}

/// `chancery consent`
#[derive(Debug, Args)]
pub(crate) struct Consent {
    #[command(subcommand)]
    pub(crate) command: ConsentCommand,
}

/// What an originator does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConsentCommand {
    /// Lists the onward releases that wait for your consent.
    List {
        #[command(flatten)]
        mine: Mine,
    },
    /// Consents: it counts once, for this message, this recipient and this time.
    Grant {
        #[command(flatten)]
        mine: Mine,
        /// The request.
        request: String,
    },
    /// Does not consent.
    Refuse {
        #[command(flatten)]
        mine: Mine,
        /// The request.
        request: String,
    },
}

/// `chancery inbox`
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    #[command(flatten)]
    pub(crate) mine: Mine,
    /// Fetches this delivery: it is decided, recorded and shown.
    #[arg(long, value_name = "ID", conflicts_with = "ack")]
    pub(crate) fetch: Option<String>,
    /// Acknowledges this delivery: it leaves the inbox.
    #[arg(long, value_name = "ID")]
    pub(crate) ack: Option<String>,
    /// Waits so many seconds for something.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) wait: u32,
    /// Only what comes after this delivery.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
    /// With --fetch: saves text and attachments in this folder.
    #[arg(long, value_name = "DIR", requires = "fetch")]
    pub(crate) save: Option<PathBuf>,
}
