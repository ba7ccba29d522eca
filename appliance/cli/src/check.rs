//! `chancery check`: everything that is wrong, all at once.

use std::path::{Path, PathBuf};

use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::mou::Register;
use chancery_settings::{Finding, Grade, Settings};

use crate::failure::Failure;
use crate::{files, out, policy};

/// Largest document.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node's settings.
    #[arg(long, value_name = "FILE", default_value = "chancery.toml")]
    config: PathBuf,
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let found = findings(&args.config)?;
    for finding in &found {
        if json {
            out::json(finding)?;
        } else {
            out::line(finding)?;
        }
    }
    let wrong = found
        .iter()
        .filter(|finding| finding.grade == Grade::Wrong)
        .count();
    if wrong > 0 {
        return Err(Failure::new(format!(
            "{wrong} things are wrong: the node would not start, or not safely"
        )));
    }
    if !json {
        out::line(if found.is_empty() {
            "all is well"
        } else {
            "nothing is wrong"
        })?;
    }
    Ok(())
}

/// All that is wrong or weak with a node's settings, rules and directory.
pub(crate) fn findings(config: &Path) -> Result<Vec<Finding>, Failure> {
    let settings = Settings::load(config).map_err(|error| Failure::new(error.to_string()))?;
    let mut found = settings.check();
    let rules = &settings.rules;
    if let Err(problems) = chancery_label::schemes::own(&rules.schemes) {
        found.extend(
            problems
                .into_iter()
                .map(|problem| Finding::wrong(problem.file, problem.what)),
        );
    }
    match policy::set_of(&rules.policies) {
        Err(failure) => found.push(Finding::wrong("rules.policies", failure.to_string())),
        Ok(texts) => {
            if let Err(error) = Engine::load(&texts) {
                let problems = error.problems().iter().map(|problem| {
                    let at = match problem.line {
                        Some(line) => format!("{}:{line}", problem.file),
                        None => problem.file.clone(),
                    };
                    Finding::wrong(
                        if at.is_empty() {
                            "rules.policies".to_owned()
                        } else {
                            at
                        },
                        problem.what.clone(),
                    )
                });
                found.extend(problems);
            }
        }
    }
    let documents = files::text(&rules.participants, MOST)
        .and_then(|people| Ok((people, files::text(&rules.officers, MOST)?)));
    match documents {
        Err(failure) => found.push(Finding::wrong("rules.participants", failure.to_string())),
        Ok((people, officers)) => match Directory::from_toml(0, &people, &officers) {
            Err(error) => found.extend(
                error
                    .problems()
                    .iter()
                    .map(|problem| Finding::wrong(problem.place.clone(), problem.what.clone())),
            ),
            Ok(directory) => {
                mous(&rules.mous, &directory, &mut found);
                keys(&directory, &mut found);
            }
        },
    }
    Ok(found)
}

fn mous(folder: &Path, directory: &Directory, found: &mut Vec<Finding>) {
    let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if empty {
        return;
    }
    match policy::folder_of(folder, ".toml") {
        Err(failure) => found.push(Finding::wrong("rules.mous", failure.to_string())),
        Ok(texts) => {
            let texts = texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str()));
            if let Err(error) = Register::from_toml(texts, directory) {
                found.push(Finding::wrong("rules.mous", error.to_string()));
            }
        }
    }
}

/// Who cannot do what it is there for.
fn keys(directory: &Directory, found: &mut Vec<Finding>) {
    for one in directory.participants() {
        let usable = one.mail.as_ref().is_some_and(|mail| mail.is_usable())
            || [&one.siena, &one.rest]
                .into_iter()
                .flatten()
                .any(|tls| tls.is_usable());
        if !usable {
            found.push(Finding::weak(
                format!("participant {}", one.id),
                "no channel has a key, so nothing reaches it: chancery participant enroll",
            ));
        }
    }
    for one in directory.officers() {
        if one.verifying_key().is_none() {
            found.push(Finding::weak(
                format!("officer {}", one.id),
                "no key that can be read is registered: the officer can sign nothing",
            ));
        }
    }
}
