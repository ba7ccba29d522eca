//! `chancery officer`: the people who judge, and their roles.

use std::path::PathBuf;

use chancery_pipeline::rulebook::{Change, RuleText};
use chancery_policy::directory::{Directory, Officer as Entry};
use chancery_settings::Settings;
use clap::Subcommand;
use serde_json::json;

use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer};
use crate::ruling::{self, Common, Noun};
use crate::{files, out, run, signing};

/// Largest file of entries.
const MOST: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the officers and their roles.
    List,
    /// Proposes officers, or other versions of them (`[[officer]]` entries):
    /// another security officer approves it.
    Propose {
        /// The file of entries.
        file: PathBuf,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    /// Signs the rules' files of a node as they are, beside them; a node that
    /// starts or reads them again takes in what two officers signed.
    Sign,
    #[command(flatten)]
    Common(Common),
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let officer = args.desk.open()?;
    if matches!(args.command, Command::Sign) {
        let settings =
            Settings::load(&args.desk.config).map_err(|error| Failure::new(error.to_string()))?;
        let added = signing::sign(&settings, &[officer.signer()])?;
        return if json {
            out::json(&json!({ "signatures": added }))
        } else {
            out::line(format_args!("{added} signatures added"))
        };
    }
    run::runtime()?.block_on(carry_out(&args.desk, &officer, &args.command, json))
}

async fn carry_out(
    desk: &Desk,
    officer: &Officer,
    command: &Command,
    json: bool,
) -> Result<(), Failure> {
    match command {
        Command::List => {
            let directory = ruling::directory(officer).await?;
            directory.officers().iter().try_for_each(|one| {
                let roles = serde_json::to_value(&one.roles).unwrap_or_default();
                if json {
                    out::json(&json!({
                        "id": one.id.as_str(), "name": one.name,
                        "participant": one.participant.as_str(), "roles": roles,
                    }))
                } else {
                    out::line(format_args!(
                        "{:<16} {:<24} of {:<20} {roles}",
                        one.id.as_str(),
                        one.name,
                        one.participant.as_str()
                    ))
                }
            })
        }
        Command::Propose { file, why } => {
            let now = ruling::directory(officer).await?;
            let (participants, _) = now.to_toml().map_err(failed("the directory"))?;
            let given = Directory::from_toml(0, &participants, &files::text(file, MOST)?)
                .map_err(|error| Failure::new(error.to_string()))?;
            let mut all: Vec<Entry> = now.officers().to_vec();
            all.retain(|one| !given.officers().iter().any(|other| other.id == one.id));
            all.extend(given.officers().iter().cloned());
            let merged = Directory::new(0, now.participants().to_vec(), all)
                .map_err(|error| Failure::new(error.to_string()))?;
            let (_, text) = merged.to_toml().map_err(failed("the directory"))?;
            ruling::propose(officer, &Change::new(RuleText::officers(text), why), json).await
        }
        Command::Sign => Ok(()),
        Command::Common(common) => ruling::common(desk, officer, Noun::Officer, common, json).await,
    }
}
