//! Reading the settings file.

use std::path::{Path, PathBuf};

use chancery_hsm_custodian::{CustodianSettings, Limits, PinSource, TokenSettings};
use chancery_hsm_pkcs11::{Pin, Quirks, TokenConfig};
use std::time::Duration;

use crate::Failure;

/// Reads the custodian's settings: the table `custodian` of the file, or the
/// whole of it. Relative paths start at the file's folder.
pub(crate) fn read(path: &Path) -> Result<CustodianSettings, Failure> {
    let wrong = |why: String| Failure::Settings {
        path: path.to_owned(),
        why,
    };
    let path_of_file = std::path::absolute(path).map_err(Failure::file(path, "cannot be found"))?;
    let text = std::fs::read_to_string(path).map_err(Failure::file(path, "cannot be read"))?;
    let mut file: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let table = file.remove("custodian").unwrap_or(toml::Value::Table(file));
    let mut settings: CustodianSettings = table
        .try_into()
        .map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let folder = path_of_file
        .parent()
        .unwrap_or_else(|| Path::new("/"))
        .to_owned();
    settings
        .resolve_uri()
        .map_err(|error| wrong(error.to_string()))?;
    check(&settings).map_err(wrong)?;
    resolve(&mut settings, &folder);
    Ok(settings)
}

fn resolve(settings: &mut CustodianSettings, folder: &Path) {
    let token = &mut settings.token;
    let paths = [&mut settings.state_dir, &mut token.module]
        .into_iter()
        .chain(&mut token.store)
        .chain(&mut token.reads)
        .chain(&mut token.writes);
    for path in paths {
        *path = folder.join(&*path);
    }
    if let PinSource::File(path) = &mut settings.pin {
        *path = folder.join(&*path);
    }
}

fn check(settings: &CustodianSettings) -> Result<(), String> {
    use chancery_hsm_custodian::ModuleKind;
    let token = &settings.token;
    if !chancery_hsm_custodian::note::is_origin(&settings.log_origin) {
        return Err("log_origin: 1 to 128 visible characters without +".to_owned());
    }
    if token.module.as_os_str().is_empty() {
        return Err("token.module: say which module, here or in token.uri".to_owned());
    }
    if token.label.is_empty() {
        return Err("token.label: say the token's label, here or in token.uri".to_owned());
    }
    if settings.pin.is_nowhere() {
        return Err("pin: say where the PIN is, here or in token.uri".to_owned());
    }
    if token.kind != ModuleKind::Other && token.store.is_none() {
        return Err("token.store: this kind of token needs a folder".to_owned());
    }
    if !(1..=256).contains(&token.max_sessions) {
        return Err("token.max_sessions: 1 to 256".to_owned());
    }
    if token.hanging_secs < 2 {
        return Err("token.hanging_secs: at least 2".to_owned());
    }
    let hash = token.module_sha256.as_deref();
    if hash.is_some_and(|hash| hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err("token.module_sha256: 64 hexadecimal digits".to_owned());
    }
    Ok(())
}

/// The bounds on clients, as set or fitted to the sessions.
pub(crate) fn limits(settings: &CustodianSettings) -> Limits {
    settings
        .limits
        .unwrap_or_else(|| Limits::for_sessions(settings.token.max_sessions))
}

/// How the token is used.
pub(crate) fn token_config(token: &TokenSettings) -> TokenConfig {
    TokenConfig {
        label: token.label.clone(),
        serial: token.serial.clone(),
        max_sessions: usize::try_from(token.max_sessions).unwrap_or(usize::MAX),
        patience: Duration::from_millis(u64::from(token.patience_ms)),
        quirks: Quirks {
            allowed_mechanisms: token.allowed_mechanisms,
            copyable: token.copyable,
            unwrap_value_len: token.unwrap_value_len,
            read_write_sessions: token.read_write_sessions,
        },
    }
}

/// The user PIN.
pub(crate) fn pin(settings: &CustodianSettings) -> Result<Pin, Failure> {
    Ok(match &settings.pin {
        PinSource::File(path) => Pin::from_file(path)?,
        PinSource::Credential(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            Pin::from_credential(folder.as_deref(), name)?
        }
        PinSource::Nowhere => return Err(Failure::Asked("no place of the PIN is set".to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        state_dir = "custodian"
        log_origin = "chancery/node-1"
        [token]
        kind = "kryoptic"
        module = "/opt/libchancery_token.so"
        store = "token"
        label = "node-1"
        [pin]
        file = "pin"
    "#;

    fn read_text(text: &str) -> Result<CustodianSettings, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        let mut settings = read(&path)?;
        let rest = settings
            .state_dir
            .strip_prefix(folder.path())
            .map(Path::to_owned);
        settings.state_dir = rest.unwrap();
        Ok(settings)
    }

    #[test]
    fn a_whole_file_and_a_table_in_a_larger_one_mean_the_same() {
        let whole = read_text(GOOD).unwrap();
        assert_eq!(whole.state_dir, Path::new("custodian"));
        assert_eq!(whole.token.max_sessions, 2);
        assert!(whole.token.copyable);
        let nested = GOOD
            .replace("[token]", "[custodian.token]")
            .replace("[pin]", "[custodian.pin]");
        let nested = format!("name = \"x\"\n[custodian]\n{nested}\n[rest]\nport = 1\n");
        assert_eq!(read_text(&nested).unwrap().token.label, whole.token.label);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, told) in [
            (
                "log_origin = \"chancery/node-1\"",
                "log_origin = \"a b\"",
                "log_origin",
            ),
            ("store = \"token\"", "", "token.store"),
            (
                "label = \"node-1\"",
                "label = \"n\"\nmax_sessions = 0",
                "max_sessions",
            ),
            (
                "label = \"node-1\"",
                "label = \"n\"\nmodule_sha256 = \"12\"",
                "module_sha256",
            ),
            (
                "label = \"node-1\"",
                "label = \"n\"\npin-value = \"1\"",
                "pin-value",
            ),
            ("file = \"pin\"", "", "pin"),
            ("kind = \"kryoptic\"", "kind = \"cloud\"", "kind"),
        ] {
            let error = read_text(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
    }
}
