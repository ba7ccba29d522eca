//! Is the wiring sound?

use std::collections::HashSet;

use crate::links::Tag;
use crate::supervise::Child;

/// What is wrong with a plan of processes and links.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two processes have one name.
    #[error("two processes are named `{0}`")]
    TwoProcesses(String),
    /// A link goes to a process that is not there.
    #[error("`{client}` asks `{server}`, which does not run")]
    NoServer {
        /// Who asks.
        client: String,
        /// Who is missing.
        server: String,
    },
    /// A process asks itself.
    #[error("`{0}` asks itself")]
    Itself(String),
    /// Two processes would ask under one name.
    #[error(
        "the link `{0}` is there twice: whoever holds a link has its authority, so it belongs to one client"
    )]
    TwoLinks(Tag),
}

pub(super) fn check(children: &[Child]) -> Result<(), PlanError> {
    let mut names = HashSet::new();
    for child in children {
        if !names.insert(child.name.as_str()) {
            return Err(PlanError::TwoProcesses(child.name.clone()));
        }
    }
    let mut tags = HashSet::new();
    for child in children {
        for ask in &child.asks {
            if ask.server == child.name {
                return Err(PlanError::Itself(child.name.clone()));
            }
            if !names.contains(ask.server.as_str()) {
                return Err(PlanError::NoServer {
                    client: child.name.clone(),
                    server: ask.server.clone(),
                });
            }
            if !tags.insert(&ask.tag) {
                return Err(PlanError::TwoLinks(ask.tag.clone()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::{Ask, Supervisor};

    fn child(name: &str, asks: &[(&str, &str)]) -> Child {
        Child {
            name: name.into(),
            program: "/nowhere".into(),
            args: Vec::new(),
            env: Vec::new(),
            stage: 0,
            asks: asks
                .iter()
                .map(|(server, tag)| Ask {
                    server: (*server).into(),
                    tag: Tag::new(*tag).unwrap(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_plan_is_checked() {
        let wrong = |children: Vec<Child>| Supervisor::new(children).err();
        assert_eq!(
            wrong(vec![
                child("core", &[]),
                child("door", &[("core", "core.door")])
            ]),
            None
        );
        assert_eq!(
            wrong(vec![child("core", &[]), child("core", &[])]),
            Some(PlanError::TwoProcesses("core".into()))
        );
        assert_eq!(
            wrong(vec![child("door", &[("core", "core.door")])]),
            Some(PlanError::NoServer {
                client: "door".into(),
                server: "core".into()
            })
        );
        assert_eq!(
            wrong(vec![child("core", &[("core", "core.core")])]),
            Some(PlanError::Itself("core".into()))
        );
        assert_eq!(
            wrong(vec![
                child("core", &[]),
                child("a", &[("core", "core.door")]),
                child("b", &[("core", "core.door")]),
            ]),
            Some(PlanError::TwoLinks(Tag::fixed("core.door")))
        );
    }
}
