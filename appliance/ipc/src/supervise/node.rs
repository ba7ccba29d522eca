//! The processes of a node and who asks whom: the one place that says so.

use std::ffi::OsString;
use std::path::Path;

use crate::links::{Tag, TagError};
use crate::supervise::{Ask, Child};

/// Where the daemons are and what they are told.
#[derive(Clone, Copy, Debug)]
pub struct Programs<'a> {
    /// The folder of `chancery-custodian`, `-core`, `-reader` and `-door`.
    pub folder: &'a Path,
    /// The settings file, given as `--config`.
    pub config: &'a Path,
    /// The environment of every daemon, for example `RUST_LOG`.
    pub env: &'a [(OsString, OsString)],
}

/// The daemons of a node with these zones (`mail`, `siena`, `rest`), ready for
/// [`super::Supervisor::new`].
///
/// A link is named `SERVER.CLIENT`. Doors ask their reader, core and the
/// custodian; readers ask core, and the mail reader the custodian; core asks the
/// custodian, and the mail door to send. Nobody else asks anybody.
///
/// # Errors
/// When a zone's name cannot be part of a link's name.
pub fn node(programs: Programs<'_>, zones: &[&str]) -> Result<Vec<Child>, TagError> {
    let mut core_asks = vec!["custodian".to_owned()];
    let mut readers = Vec::new();
    let mut doors = Vec::new();
    for zone in zones {
        let (reader, door) = (format!("reader-{zone}"), format!("door-{zone}"));
        let mut reader_asks = vec!["core".to_owned()];
        if *zone == "mail" {
            reader_asks.push("custodian".to_owned());
            core_asks.push(door.clone());
        }
        let door_asks = vec![reader.clone(), "core".to_owned(), "custodian".to_owned()];
        readers.push(child(
            programs,
            reader,
            "chancery-reader",
            Some(zone),
            2,
            &reader_asks,
        )?);
        doors.push(child(
            programs,
            door,
            "chancery-door",
            Some(zone),
            3,
            &door_asks,
        )?);
    }
    let mut all = vec![
        child(
            programs,
            "custodian".into(),
            "chancery-custodian",
            None,
            0,
            &[],
        )?,
        child(
            programs,
            "core".into(),
            "chancery-core",
            None,
            1,
            &core_asks,
        )?,
    ];
    all.append(&mut readers);
    all.append(&mut doors);
    Ok(all)
}

fn child(
    programs: Programs<'_>,
    name: String,
    program: &str,
    zone: Option<&str>,
    stage: u8,
    servers: &[String],
) -> Result<Child, TagError> {
    let mut args: Vec<OsString> = vec!["--config".into(), programs.config.into()];
    if let Some(zone) = zone {
        args.extend(["--zone".into(), zone.into()]);
    }
    let asks = servers
        .iter()
        .map(|server| {
            Ok(Ask {
                server: server.clone(),
                tag: Tag::between(server, &name)?,
            })
        })
        .collect::<Result<_, TagError>>()?;
    Ok(Child {
        name,
        program: programs.folder.join(program),
        args,
        env: programs.env.to_vec(),
        stage,
        asks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::Supervisor;

    #[test]
    fn who_asks_whom() {
        let programs = Programs {
            folder: Path::new("/opt"),
            config: Path::new("/etc/c.toml"),
            env: &[],
        };
        let node = node(programs, &["mail", "siena", "rest"]).unwrap();
        let mut links: Vec<String> = node
            .iter()
            .flat_map(|child| &child.asks)
            .map(|ask| ask.tag.to_string())
            .collect();
        links.sort();
        assert_eq!(
            links,
            [
                "core.door-mail",
                "core.door-rest",
                "core.door-siena",
                "core.reader-mail",
                "core.reader-rest",
                "core.reader-siena",
                "custodian.core",
                "custodian.door-mail",
                "custodian.door-rest",
                "custodian.door-siena",
                "custodian.reader-mail",
                "door-mail.core",
                "reader-mail.door-mail",
                "reader-rest.door-rest",
                "reader-siena.door-siena",
            ]
        );
        let door = node.last().unwrap();
        assert_eq!(door.program, Path::new("/opt/chancery-door"));
        assert_eq!(door.args, ["--config", "/etc/c.toml", "--zone", "rest"]);
        assert!(Supervisor::new(node).is_ok());
    }
}
