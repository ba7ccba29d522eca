//! Proofs about a policy set.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_policy::PolicyTexts;
use chancery_policy::directory::Directory;
use chancery_policy::mou::Register;
use chancery_policy::shipped;
use chancery_prover::{INVARIANTS, Question, Solver, SolverError, prove};

use super::{MOST, folder_of, texts};
use crate::failure::Failure;
use crate::{files, out, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A set that it must not be more permissive than; `shipped` is this program's.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// What must never be let out, instead of the shipped invariants.
    #[arg(long, value_name = "FILE")]
    invariants: Option<PathBuf>,
    /// Only the claim of this name; may be given again.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    #[command(flatten)]
    agreements: Agreements,
    #[command(flatten)]
    solving: Solving,
}

/// Which solver, and how long it may think.
#[derive(Debug, clap::Args)]
pub(super) struct Solving {
    /// The solver: a cvc5 program, or a folder that pip put the cvc5 wheel in.
    /// Without it that of the variable CVC5, of appliance/packages/solver, of the PATH.
    #[arg(long, value_name = "PATH")]
    solver: Option<PathBuf>,
    /// How long one question may take, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Solving {
    /// Finds the solver.
    pub(super) async fn find(&self) -> Result<Solver, SolverError> {
        let limit = Duration::from_secs(self.timeout);
        let named = self
            .solver
            .clone()
            .or_else(|| std::env::var_os("CVC5").map(PathBuf::from));
        Solver::find(named.as_deref(), &folders(), limit).await
    }
}

/// The directory and the MoUs; the shipped examples where none are named.
#[derive(Debug, clap::Args)]
pub(super) struct Agreements {
    /// The directory's participants.
    #[arg(long, value_name = "FILE", requires = "mous")]
    participants: Option<PathBuf>,
    /// The folder of the MoUs.
    #[arg(long, value_name = "DIR")]
    mous: Option<PathBuf>,
}

impl Agreements {
    /// True if the MoUs were named.
    pub(super) const fn are_named(&self) -> bool {
        self.mous.is_some()
    }

    /// Reads them; nobody is an officer here: nobody signs anything.
    pub(super) fn read(&self) -> Result<(Directory, Register), Failure> {
        let participants = match &self.participants {
            None => shipped::PARTICIPANTS.to_owned(),
            Some(file) => files::text(file, MOST)?,
        };
        let directory = Directory::from_toml(0, &participants, "")
            .map_err(|error| Failure::new(error.to_string()))?;
        let mous = match &self.mous {
            None => shipped::MOUS
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .to_vec(),
            Some(folder) => folder_of(folder, ".toml")?,
        };
        let files = mous
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        let register = Register::from_toml(files, &directory)
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok((directory, register))
    }
}

pub(super) fn command(args: &Args, set: &PolicyTexts, json: bool) -> Result<(), Failure> {
    let invariants = match &args.invariants {
        None => INVARIANTS.to_owned(),
        Some(file) => files::text(file, MOST)?,
    };
    let old = args
        .against
        .as_deref()
        .map(|old| texts(Some(old)))
        .transpose()?;
    let (directory, register) = args.agreements.read()?;
    let only: Vec<&str> = args.only.iter().map(String::as_str).collect();
    let question = Question {
        set,
        invariants: &invariants,
        directory: &directory,
        register: &register,
        old: old.as_ref(),
        only: &only,
    };
    let mut told = Ok(());
    let report = run::runtime()?
        .block_on(async {
            let solver = args.solving.find().await?;
            prove(&question, &solver, |claim| {
                if !json && told.is_ok() {
                    told = out::line(claim);
                }
            })
            .await
        })
        .map_err(|error| Failure::new(error.to_string()))?;
    told?;
    if json {
        out::json(&report)?;
    } else {
        out::line(report.summary())?;
    }
    match report.failed().count() {
        0 => Ok(()),
        failed => Err(Failure::new(format!(
            "{failed} of {} claims are not proved: the set must not be activated like this",
            report.claims.len()
        ))),
    }
}

/// Where `appliance/packages/solver` puts it: the user's own folder, the machine's.
fn folders() -> Vec<PathBuf> {
    let own = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .map(|data| data.join("chancery/solver"));
    own.into_iter()
        .chain([Path::new("/usr/lib/chancery/solver").to_owned()])
        .collect()
}
