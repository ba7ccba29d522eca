//! `shim.conf`: what does not change while the process lives. One `key = value`
//! a line:
//!
//! * `module = PATH`: the real module;
//! * `hide = 0x2109 0x210b …`: mechanisms that it shall seem not to have;
//! * `unsupported = C_WrapKey …`: functions that it shall seem not to have;
//! * `known-key = SCALAR POINT` (hex; the point uncompressed, 65 bytes): every
//!   pair of P-256 that is made is this one, and is said to be made in the
//!   token: a canary whose value a test knows;
//! * `witness = PATH`: values of secret keys that are brought into the token
//!   are appended there, in hex, one a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cryptoki_sys::CK_MECHANISM_TYPE;

/// What stands in the file.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) module: PathBuf,
    pub(crate) hidden: BTreeSet<CK_MECHANISM_TYPE>,
    pub(crate) unsupported: BTreeSet<String>,
    pub(crate) known_key: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) witness: Option<PathBuf>,
    pub(crate) faults: PathBuf,
}

impl Settings {
    /// Finds and reads the file.
    pub(crate) fn find() -> Result<Self, String> {
        let beside = |variable: &str| {
            let conf = PathBuf::from(std::env::var_os(variable)?);
            Some(conf.parent()?.join("shim.conf"))
        };
        let path = std::env::var_os("CHANCERY_SHIM_CONF")
            .map(PathBuf::from)
            .or_else(|| beside("KRYOPTIC_CONF"))
            .or_else(|| beside("SOFTHSM2_CONF"))
            .ok_or("no CHANCERY_SHIM_CONF, KRYOPTIC_CONF or SOFTHSM2_CONF is set")?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Self::read(&text, &path)
    }

    fn read(text: &str, path: &Path) -> Result<Self, String> {
        let mut settings = Self {
            faults: path.with_file_name("shim.faults"),
            ..Self::default()
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let bad = || format!("{}: `{line}` is no setting", path.display());
            let (key, value) = line.split_once('=').ok_or_else(bad)?;
            let value = value.trim();
            match key.trim() {
                "module" => settings.module = value.into(),
                "hide" => {
                    for word in value.split_whitespace() {
                        settings.hidden.insert(number(word).ok_or_else(bad)?);
                    }
                }
                "unsupported" => settings
                    .unsupported
                    .extend(value.split_whitespace().map(str::to_owned)),
                "known-key" => {
                    let (scalar, point) = value.split_once(' ').ok_or_else(bad)?;
                    settings.known_key =
                        Some((hex(scalar).ok_or_else(bad)?, hex(point).ok_or_else(bad)?));
                }
                "witness" => settings.witness = Some(value.into()),
                _ => return Err(bad()),
            }
        }
        Ok(settings)
    }
}

/// Decimal, or hexadecimal behind `0x`.
pub(crate) fn number(text: &str) -> Option<CK_MECHANISM_TYPE> {
    text.strip_prefix("0x").map_or_else(
        || text.parse().ok(),
        |digits| CK_MECHANISM_TYPE::from_str_radix(digits, 16).ok(),
    )
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok())
        .collect()
}
