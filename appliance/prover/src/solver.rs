//! The solver: cvc5, as its own program or as the Python wheel behind the front
//! of this crate.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cedar_policy_symcc::solver::LocalSolver;
use tokio::process::Command;

/// Gives the wheel a standard input and output.
const FRONT: &str = include_str!("front.py");

/// A solver that answered when it was asked for its version.
#[derive(Clone, Debug)]
pub struct Solver {
    program: PathBuf,
    args: Vec<OsString>,
    /// The folder of the wheel, where it is one.
    wheel: Option<PathBuf>,
    version: String,
    limit: Duration,
}

/// Why there is no solver.
#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    /// None was found.
    #[error(
        "no solver: install cvc5 with `appliance/packages/solver`, or name it with --solver (a cvc5 program, or a folder that pip put the cvc5 wheel in); looked for {looked}"
    )]
    Missing {
        /// Where.
        looked: String,
    },
    /// One was found, but does not run.
    #[error("the solver {} does not run: {what}; `appliance/packages/solver` installs one", program.display())]
    Broken {
        /// Which.
        program: PathBuf,
        /// What it said.
        what: String,
    },
}

/// True if a folder of the PATH has a file of this name.
fn in_path(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

// === impl Solver ===

impl Solver {
    /// The solver of this name: a program, or the folder of a wheel. Without a
    /// name: the first of these folders that is there, else `cvc5` of the PATH.
    /// `limit` is the time that one question may take.
    ///
    /// # Errors
    /// [`SolverError`] where none is found, or it does not tell its version.
    pub async fn find(
        named: Option<&Path>,
        folders: &[PathBuf],
        limit: Duration,
    ) -> Result<Self, SolverError> {
        let chosen = match named {
            Some(path) => Some(path),
            None => folders
                .iter()
                .map(PathBuf::as_path)
                .find(|folder| folder.is_dir()),
        };
        match chosen {
            Some(path) if path.is_dir() => Self::wheel(path, limit).await,
            Some(path) => Self::program(path, limit).await,
            // One that is there and does not run is not the same as none.
            None if in_path("cvc5") => Self::program(Path::new("cvc5"), limit).await,
            None => {
                let looked: Vec<String> = folders
                    .iter()
                    .map(|folder| folder.display().to_string())
                    .chain(["cvc5 in the PATH".to_owned()])
                    .collect();
                Err(SolverError::Missing {
                    looked: looked.join(", "),
                })
            }
        }
    }

    /// The same, with another limit for one question.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        let (old, new) = (self.limit.as_millis(), limit.as_millis());
        for arg in &mut self.args {
            if *arg == *old.to_string() {
                *arg = new.to_string().into();
            } else if *arg == *format!("--tlimit-per={old}") {
                *arg = format!("--tlimit-per={new}").into();
            }
        }
        self.limit = limit;
        self
    }

    /// Name and version, for example `cvc5 1.4.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How long one question may take.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    async fn program(path: &Path, limit: Duration) -> Result<Self, SolverError> {
        let args = [
            "--lang".to_owned(),
            "smt".to_owned(),
            format!("--tlimit-per={}", limit.as_millis()),
        ];
        let solver = Self {
            program: path.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            wheel: None,
            version: String::new(),
            limit,
        };
        solver.asked(&["--version".into()]).await
    }

    async fn wheel(folder: &Path, limit: Duration) -> Result<Self, SolverError> {
        let own = folder.join("python3");
        let front: [OsString; 4] = ["-B".into(), "-s".into(), "-c".into(), FRONT.into()];
        let mut args = front.to_vec();
        args.extend(["--tlimit".into(), limit.as_millis().to_string().into()]);
        let solver = Self {
            program: if own.exists() { own } else { "python3".into() },
            args,
            wheel: Some(folder.to_owned()),
            version: String::new(),
            limit,
        };
        let mut asked = front.to_vec();
        asked.push("--version".into());
        solver.asked(&asked).await
    }

    /// This solver with the version that it tells.
    async fn asked(mut self, args: &[OsString]) -> Result<Self, SolverError> {
        let broken = |what: String| SolverError::Broken {
            program: self.wheel.clone().unwrap_or_else(|| self.program.clone()),
            what,
        };
        let told = tokio::time::timeout(self.limit, self.command(args).output())
            .await
            .map_err(|_| broken("it does not answer".to_owned()))?
            .map_err(|error| broken(error.to_string()))?;
        let text = String::from_utf8_lossy(&told.stdout);
        let first = text.lines().next().unwrap_or_default();
        let version = first
            .split_whitespace()
            .skip_while(|word| !word.starts_with("cvc5"))
            .map(|word| word.trim_matches(|sign| "[]".contains(sign)))
            .filter(|word| *word != "version")
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        if !told.status.success() || !version.contains(' ') {
            let said = String::from_utf8_lossy(&told.stderr);
            let last = said.lines().last().unwrap_or("it tells no version");
            return Err(broken(last.to_owned()));
        }
        self.version = version;
        Ok(self)
    }

    /// A fresh process of it.
    pub(crate) fn start(&self) -> Result<LocalSolver, String> {
        LocalSolver::from_command(&mut self.command(&self.args)).map_err(|error| error.to_string())
    }

    fn command(&self, args: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).kill_on_drop(true);
        if let Some(folder) = &self.wheel {
            command.env("PYTHONPATH", folder);
        }
        command
    }
}
