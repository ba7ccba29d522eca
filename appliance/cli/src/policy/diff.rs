//! What a change of the rules changes on the golden matrix.

use std::path::{Path, PathBuf};

use chancery_policy::engine::Engine;
use chancery_policy::matrix::{self, Flip};

use super::texts;
use crate::failure::{Failure, failed};
use crate::out;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the old rules; `shipped` are those of this program.
    old: PathBuf,
    /// The folder of the new rules.
    new: PathBuf,
}

pub(super) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let (old, new) = (study(&args.old)?, study(&args.new)?);
    let cells = matrix::cells().map_err(failed("the example directory"))?;
    let flips = matrix::diff(&old, &new, &cells);
    if json {
        for flip in &flips {
            out::json(flip)?;
        }
        out::json(&serde_json::json!({
            "decisions": cells.len(), "flips": flips.len(),
            "old": hex::encode(old.policy_hash()), "new": hex::encode(new.policy_hash()),
        }))?;
    } else {
        table(&flips)?;
    }
    if flips.is_empty() {
        return if json {
            Ok(())
        } else {
            out::line(format_args!("{} decisions, none changes", cells.len()))
        };
    }
    Err(Failure::new(format!(
        "{} of {} decisions of the matrix change",
        flips.len(),
        cells.len()
    )))
}

/// A set that may lack gates: what that would do is just what is asked.
fn study(folder: &Path) -> Result<Engine, Failure> {
    Engine::load_for_study(&texts(Some(folder))?)
        .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))
}

fn table(flips: &[Flip]) -> Result<(), Failure> {
    let width = |of: fn(&Flip) -> &str| {
        flips
            .iter()
            .map(|flip| of(flip).len())
            .max()
            .unwrap_or_default()
    };
    let (question, old) = (width(|flip| &flip.question), width(|flip| &flip.old));
    for flip in flips {
        out::line(format_args!(
            "{:<question$} | {:<old$} -> {}",
            flip.question, flip.old, flip.new
        ))?;
    }
    Ok(())
}
