//! A proposed policy set, as an officer sees it before signing: what changes, why,
//! and the evidence.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_pipeline::officers::Request;
use chancery_pipeline::rows::DocumentKind;
use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::{Against, Evidence};
use serde_json::Value;

use crate::failure::{Failure, failed};
use crate::officers::{Officer, text, values};
use crate::{files, out, ruling};

/// Name and text of a set's files.
type Files = BTreeMap<String, String>;

pub(super) async fn command(
    officer: &Officer,
    proposal: &str,
    folder: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let found = ruling::proposal(officer, proposal).await?;
    if DocumentKind::from_word(text(&found, "kind")) != Some(DocumentKind::Policy) {
        return Err(Failure::new(
            "this proposal is no policy set: chancery mou, participant or officer proposals shows it",
        ));
    }
    if json {
        out::json(&found)?;
    } else {
        ruling::card(&found)?;
        shown(officer, &found).await?;
    }
    match folder {
        Some(folder) => write(folder, &found),
        None => Ok(()),
    }
}

/// The policy sets that ever decided; of one hash, the set into a folder.
pub(super) async fn sets(
    officer: &Officer,
    hash: Option<&str>,
    folder: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let request = Request::PolicySets {
        hash: hash.map(str::to_owned),
    };
    let all = values(&officer.order(request).await?)?;
    if let (Some(hash), Some(folder)) = (hash, folder) {
        // The same set may have decided more than once: its text is one.
        let found = all
            .last()
            .filter(|last| {
                all.iter()
                    .all(|one| text(one, "policy") == text(last, "policy"))
            })
            .ok_or_else(|| Failure::new(format!("{hash} is the beginning of no one policy set")))?;
        let set = PolicyTexts::new(files_of(found)?);
        if hex::encode(set.hash()) != text(found, "policy") {
            return Err(Failure::new("what the node gave has another hash"));
        }
        write(folder, found)?;
    }
    for one in &all {
        if json {
            out::json(one)?;
            continue;
        }
        let officers: Vec<&str> = one
            .get("approvals")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        out::line(format_args!(
            "{}  from {}  {}  {}",
            text(one, "policy"),
            text(one, "from"),
            officers.join(", "),
            out::safe(text(one, "why"))
        ))?;
    }
    Ok(())
}

/// A set's rules, and the cases of its evidence, into a new folder.
fn write(folder: &Path, found: &Value) -> Result<(), Failure> {
    std::fs::create_dir(folder).map_err(failed(format!("{} cannot be made", folder.display())))?;
    let cases = evidence(found)?
        .map(|one| one.cases.files)
        .unwrap_or_default();
    for (name, content) in files_of(found)?.iter().chain(&cases) {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(Failure::new(
                "a file of the proposal has a path as its name",
            ));
        }
        files::create(&folder.join(name), 0o600, content.as_bytes())?;
    }
    Ok(())
}

/// What changes, and the evidence.
pub(crate) async fn shown(officer: &Officer, proposal: &Value) -> Result<(), Failure> {
    let now = ruling::texts(officer, DocumentKind::Policy).await?;
    let now = now.first().map(files_of).transpose()?.unwrap_or_default();
    for line in differences(&now, &files_of(proposal)?) {
        out::line(format_args!("  | {}", out::safe(&line)))?;
    }
    match evidence(proposal)? {
        Some(evidence) => evidence
            .to_string()
            .lines()
            .try_for_each(|line| out::line(format_args!("  {}", out::safe(line)))),
        None => out::line("  NO EVIDENCE: it cannot come into force"),
    }
}

/// Verifies what can be verified of the evidence here: the cases are run again.
pub(crate) async fn verify(officer: &Officer, proposal: &Value) -> Result<(), Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::new(format!("not signed: {error}"));
    let found = evidence(proposal)?
        .ok_or_else(|| Failure::new("not signed: the proposal has no evidence"))?;
    let proposed = PolicyTexts::new(files_of(proposal)?);
    let engine = Engine::load(&proposed).map_err(|error| bad(&error))?;
    let policies = ruling::texts(officer, DocumentKind::Policy).await?;
    let running = policies
        .first()
        .map(files_of)
        .transpose()?
        .unwrap_or_default();
    let participants = ruling::texts(officer, DocumentKind::Participant).await?;
    let mous = ruling::texts(officer, DocumentKind::Mou).await?;
    found
        .check(&Against {
            proposed: &engine,
            running: PolicyTexts::new(running).hash(),
            agreements: chancery_policy::evidence::agreements(
                participants.first().map_or("", |one| text(one, "text")),
                mous.iter().map(|one| (text(one, "key"), text(one, "text"))),
            ),
        })
        .map_err(|error| bad(&error))
}

fn evidence(proposal: &Value) -> Result<Option<Evidence>, Failure> {
    match text(proposal, "evidence") {
        "" => Ok(None),
        found => Evidence::read(found)
            .map(Some)
            .map_err(|error| Failure::new(error.to_string())),
    }
}

fn files_of(version: &Value) -> Result<Files, Failure> {
    serde_json::from_str(text(version, "text")).map_err(failed("the policy set"))
}

/// The lines that go (`-`) and come (`+`), file by file: of each changed file the
/// part between what both have at its beginning and at its end.
fn differences(now: &Files, then: &Files) -> Vec<String> {
    let mut all = Vec::new();
    let names: std::collections::BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    for name in names {
        let (old, new) = (now.get(name), then.get(name));
        if old == new {
            continue;
        }
        all.push(match (old, new) {
            (None, _) => format!("{name}: new"),
            (_, None) => format!("{name}: left out"),
            _ => format!("{name}: changed"),
        });
        let lines = |text: Option<&String>| -> Vec<String> {
            text.map(|text| text.lines().map(str::to_owned).collect())
                .unwrap_or_default()
        };
        let (old, new) = (lines(old), lines(new));
        let begin = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let end = old
            .iter()
            .skip(begin)
            .rev()
            .zip(new.iter().skip(begin).rev())
            .take_while(|(a, b)| a == b)
            .count();
        let part = |lines: &[String], sign: char| -> Vec<String> {
            lines
                .get(begin..lines.len().saturating_sub(end))
                .unwrap_or_default()
                .iter()
                .enumerate()
                .map(|(at, line)| format!("{sign} {:>4}  {line}", begin + at + 1))
                .collect()
        };
        all.extend(part(&old, '-'));
        all.extend(part(&new, '+'));
    }
    if all.is_empty() {
        all.push("nothing changes".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_show_what_goes_and_what_comes() {
        let files = |all: &[(&str, &str)]| -> Files {
            all.iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        let old = files(&[("a", "1\n2\n3\n"), ("b", "same"), ("c", "gone")]);
        let new = files(&[("a", "1\ntwo\nmore\n3\n"), ("b", "same"), ("d", "here")]);
        assert_eq!(
            differences(&old, &new),
            [
                "a: changed",
                "-    2  2",
                "+    2  two",
                "+    3  more",
                "c: left out",
                "-    1  gone",
                "d: new",
                "+    1  here",
            ]
        );
        assert_eq!(differences(&old, &old), ["nothing changes"]);
    }
}
