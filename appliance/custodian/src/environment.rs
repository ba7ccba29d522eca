//! The environment in which the module looks for its configuration. A process
//! cannot soundly change its own, so it starts itself again with the right one;
//! sockets and process id stay.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_hsm_api::durable;
use chancery_hsm_custodian::{CustodianSettings, ModuleKind};

use crate::Failure;

/// The variable and the file that it names; none for other modules.
fn configuration(settings: &CustodianSettings) -> Option<(&'static str, PathBuf)> {
    let store = settings.token.store.as_deref()?;
    match settings.token.kind {
        ModuleKind::Kryoptic => Some(("KRYOPTIC_CONF", store.join("token.conf"))),
        ModuleKind::Softhsm => Some(("SOFTHSM2_CONF", store.join("softhsm2.conf"))),
        ModuleKind::Other => None,
    }
}

/// Makes sure that the module finds its configuration. Starts this program
/// again where the environment is another, and then does not return.
pub(crate) fn prepare(settings: &CustodianSettings) -> Result<(), Failure> {
    match configuration(settings) {
        Some((variable, file))
            if std::env::var_os(variable).as_deref() != Some(file.as_os_str()) =>
        {
            Err(again(|program| program.env(variable, &file)))
        }
        _ => Ok(()),
    }
}

/// Starts this program again, with the same arguments: a module is finished
/// and loaded anew by a new program alone. Returns only why that failed.
pub(crate) fn again(change: impl FnOnce(&mut Command) -> &mut Command) -> Failure {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(source) => {
            return Failure::System {
                what: "find this program",
                source,
            };
        }
    };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1));
    change(&mut command);
    Failure::System {
        what: "start this program again",
        source: command.exec(),
    }
}

/// Makes the folders of the token and writes the module's configuration.
pub(crate) fn make_store(settings: &CustodianSettings) -> Result<(), Failure> {
    let (Some(store), Some((_, file))) = (&settings.token.store, configuration(settings)) else {
        return Ok(());
    };
    crate::house::make_folder(store)?;
    let text = match settings.token.kind {
        ModuleKind::Kryoptic => {
            let database = quoted(&store.join("token.sql"))?;
            format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = {database}\n")
        }
        ModuleKind::Softhsm => {
            let tokens = store.join("tokens");
            crate::house::make_folder(&tokens)?;
            let tokens = plain(&tokens)?;
            format!(
                "directories.tokendir = {tokens}\nobjectstore.backend = file\n\
                 objectstore.umask = 0077\nlog.level = ERROR\n"
            )
        }
        ModuleKind::Other => return Ok(()),
    };
    if std::fs::read(&file).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    durable::replace(&file, text.as_bytes()).map_err(Failure::file(&file, "cannot be written"))
}

fn plain(path: &Path) -> Result<&str, Failure> {
    path.to_str()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or_else(|| {
            Failure::Asked(format!(
                "{}: the token's folder needs a plain name",
                path.display()
            ))
        })
}

/// As a string of TOML.
fn quoted(path: &Path) -> Result<String, Failure> {
    Ok(toml::Value::String(plain(path)?.to_owned()).to_string())
}
