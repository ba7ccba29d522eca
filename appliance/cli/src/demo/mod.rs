//! `chancery demo`: a whole gateway with example participants, and real
//! messages through all its channels. What each of them must come to stands
//! in one table, [`stories::TABLE`].

mod far;
mod judge;
mod mail;
mod node;
mod post;
mod scan;
mod stories;
mod tell;
mod world;

use std::path::PathBuf;

use chancery_hsm_api::DoorZone;
use serde_json::json;

use crate::failure::{Failure, failed};
use crate::init::backing::Backing;
use crate::{audit, files, out, run};
use world::World;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where everything goes: a new or empty folder; a fresh temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Stops when the messages are through; status 0 only if every one ended as
    /// the rules say, the log verifies, and no text of any is found in the node's folder.
    #[arg(long)]
    once: bool,
    /// The channels to show.
    #[arg(long, value_delimiter = ',', default_value = "mail,siena,rest")]
    zones: Vec<DoorZone>,
    /// The folder of the daemons' programs; without it, that of `chancery` itself.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    #[command(flatten)]
    backing: Backing,
    /// What the daemons log (into node.log in the demo's folder).
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(crate) fn run(args: &Args, json: bool) -> Result<(), Failure> {
    let mut kept = None;
    let root = match &args.dir {
        Some(dir) => std::path::absolute(dir).map_err(failed("--dir"))?,
        None => {
            let made = tempfile::Builder::new()
                .prefix("chancery-demo-")
                .tempdir()
                .map_err(failed("a folder"))?;
            let path = made.path().to_owned();
            kept = Some(made);
            path
        }
    };
    if std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!(
            "{} is not empty: name a new folder",
            root.display()
        )));
    }
    files::folder(&root)?;
    let done = run::runtime()?.block_on(play(args, root.clone(), json));
    if done.is_err()
        && let Some(made) = kept.take()
    {
        // What went wrong is looked at where it happened.
        let path = made.keep();
        let _told = out::line(format_args!("everything is kept in {}", path.display()));
    }
    done
}

async fn play(args: &Args, root: PathBuf, json: bool) -> Result<(), Failure> {
    let programs = run::programs(args.programs.as_deref())?;
    if !json {
        tell::welcome(&root)?;
    }
    let mut world = World::build(
        &root,
        &args.zones,
        programs,
        args.backing.clone(),
        &args.log,
        json,
    )
    .await?;
    let played = act(args, &mut world, json).await;
    world.node.stop().await;
    let wrong = match played {
        Ok(wrong) => wrong,
        Err(failure) => {
            world.node.last_words()?;
            return Err(failure);
        }
    };
    // Once more when all is closed: what daemons write when they end counts too.
    let leaked = scan::find(
        &[root.join("node"), root.join("node.log")],
        &world.canaries(),
    )?;
    if !leaked.is_empty() {
        return Err(Failure::new(format!(
            "text of a message stands in {}",
            leaked.join(", ")
        )));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "not as it should be: {}",
        wrong.join("; ")
    )))
}

/// Sends the messages, judges, verifies; what is not as it should be.
async fn act(args: &Args, world: &mut World, json: bool) -> Result<Vec<String>, Failure> {
    let mut wrong = Vec::new();
    let mut number = 0;
    for story in stories::TABLE {
        if !story.needs.iter().all(|zone| args.zones.contains(zone)) {
            if !json {
                tell::left_out(story)?;
            }
            continue;
        }
        number += 1;
        let told = post::play(world, story).await?;
        let faults = judge::judge(story, &told);
        if json {
            out::json(&tell::as_json(story, &told, &faults))?;
        } else {
            tell::story(number, story, &told, &faults)?;
        }
        wrong.extend(
            faults
                .into_iter()
                .map(|fault| format!("message {number} ({}): {fault}", story.name)),
        );
    }
    wrong.extend(far::leftovers(world).await?);

    let export = world.root.join("people/auditor/log.export");
    let key = audit::key_of(&world.places.audit_key())?;
    let auditor = world.officer("farid")?;
    let records = audit::export(&auditor, &key, &export).await?;
    let expect = audit::expect(Some(&world.places.audit_key().display().to_string()), &[])?;
    let report = audit::report(&export, &expect)?;
    if let Some(fault) = &report.fault {
        wrong.push(format!("the log is not sound: {fault}"));
    }
    let canaries = world.canaries();
    let searched = [world.root.join("node"), world.root.join("node.log"), export];
    let leaked = scan::find(&searched, &canaries)?;
    wrong.extend(
        leaked
            .iter()
            .map(|file| format!("text of a message stands in {file}")),
    );
    if json {
        out::json(&json!({
            "messages": number, "as_they_should": wrong.is_empty(), "faults": wrong, "records": records,
            "log_sound": report.is_sound(), "plaintext_found": leaked,
        }))?;
    } else {
        tell::end(number, &wrong, &report, leaked.is_empty())?;
    }
    if !args.once && wrong.is_empty() {
        if !json {
            tell::next(world)?;
        }
        tokio::signal::ctrl_c()
            .await
            .map_err(failed("waiting for Ctrl-C"))?;
    }
    Ok(wrong)
}
