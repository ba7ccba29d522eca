//! The loaded PKCS#11 library: one per process.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::slot::{Slot, TokenInfo};
use sha2::{Digest as _, Sha256};

use crate::fault::{name, told};

const WHAT: &str = "load the PKCS#11 module";

/// A second `C_Initialize` in one process is undefined with some modules.
static LOADED: AtomicBool = AtomicBool::new(false);

/// The loaded PKCS#11 library.
#[derive(Clone, Debug)]
pub struct Module {
    context: Pkcs11,
}

/// How a token names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Label, given when it was initialised.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// Maker and model.
    pub model: String,
    /// False for a slot whose token still has to be initialised.
    pub initialised: bool,
    /// False where the initialisation stopped before the user PIN was set.
    pub has_user_pin: bool,
}

impl Module {
    /// Loads and initialises the library. With `sha256` (hex) only that very
    /// file is loaded. A module that reads its configuration from the
    /// environment must find it there before.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`]: no such file, another file, no PKCS#11 library,
    /// or a second module in one process.
    pub fn load(path: &Path, sha256: Option<&str>) -> Result<Self, KeyError> {
        let shown = path.display();
        if !path.is_absolute() {
            return Err(config(format!("`{shown}` is not an absolute path")));
        }
        let file = open_file(path)?;
        // What was hashed is what is loaded, whatever the path names by then.
        let loaded = match sha256 {
            Some(wanted) => {
                check_hash(&file, path, wanted)?;
                PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
            }
            None => path.to_owned(),
        };
        if LOADED.swap(true, Ordering::SeqCst) {
            return Err(config("a process loads one module, once".to_owned()));
        }
        let context =
            Pkcs11::new(loaded).map_err(|e| config(format!("`{shown}`: {}", name(&e))))?;
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|error| {
                let detail = format!("`{shown}` does not start: {}", name(&error));
                KeyError::new(told(WHAT, &error).kind, WHAT, detail)
            })?;
        Ok(Self { context })
    }

    /// All tokens that the module shows.
    ///
    /// # Errors
    /// As in [`KeyErrorKind`].
    pub fn tokens(&self) -> Result<Vec<TokenIdentity>, KeyError> {
        Ok(self
            .slots()?
            .iter()
            .map(|(_, info)| identity(info))
            .collect())
    }

    pub(crate) const fn context(&self) -> &Pkcs11 {
        &self.context
    }

    pub(crate) fn slots(&self) -> Result<Vec<(Slot, TokenInfo)>, KeyError> {
        let fail = |error| told("look for the token", &error);
        let slots = self.context.get_slots_with_token().map_err(fail)?;
        slots
            .into_iter()
            .map(|slot| Ok((slot, self.context.get_token_info(slot).map_err(fail)?)))
            .collect()
    }

    /// The slot of the token with that label (and serial number). Slot numbers
    /// move; labels do not.
    pub(crate) fn find(
        &self,
        label: &str,
        serial: Option<&str>,
    ) -> Result<(Slot, TokenInfo), KeyError> {
        let what = "look for the token";
        let mut all = self.slots()?;
        all.retain(|(_, info)| info.token_initialized());
        let seen: Vec<String> = all
            .iter()
            .map(|(_, info)| format!("`{}`", info.label()))
            .collect();
        all.retain(|(_, info)| {
            info.label() == label && serial.is_none_or(|serial| info.serial_number() == serial)
        });
        let found = all.pop();
        if !all.is_empty() {
            let detail = format!(
                "{} tokens have the label `{label}`: give the serial number of the right one",
                all.len() + 1
            );
            return Err(KeyError::new(KeyErrorKind::Config, what, detail));
        }
        found.ok_or_else(|| {
            let detail = match (seen.is_empty(), serial) {
                (true, _) => format!("no token is there, `{label}` is wanted"),
                (false, None) => format!("no token has the label `{label}`: {}", seen.join(", ")),
                (false, Some(serial)) => {
                    format!("no token has the label `{label}` and the serial number {serial}")
                }
            };
            // A token that was pulled out looks the same as a wrong label; the
            // first is the one that may heal.
            let kind = if seen.is_empty() {
                KeyErrorKind::DeviceLost
            } else {
                KeyErrorKind::Config
            };
            KeyError::new(kind, what, detail)
        })
    }
}

pub(crate) fn identity(info: &TokenInfo) -> TokenIdentity {
    TokenIdentity {
        label: info.label().to_owned(),
        serial: info.serial_number().to_owned(),
        model: format!("{} {}", info.manufacturer_id(), info.model()),
        initialised: info.token_initialized(),
        has_user_pin: info.user_pin_initialized(),
    }
}

fn open_file(path: &Path) -> Result<File, KeyError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    if file
        .metadata()
        .map_err(|error| unreadable(path, &error))?
        .is_file()
    {
        Ok(file)
    } else {
        Err(config(format!("`{}` is not a file", path.display())))
    }
}

fn check_hash(mut file: &File, path: &Path, wanted: &str) -> Result<(), KeyError> {
    let mut hash = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        let count = file
            .read(&mut part)
            .map_err(|error| unreadable(path, &error))?;
        match part.get(..count) {
            Some(bytes) if !bytes.is_empty() => hash.update(bytes),
            _ => break,
        }
    }
    if hex::encode(hash.finalize()).eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        let shown = path.display();
        Err(config(format!(
            "`{shown}` is not the file whose hash the configuration gives"
        )))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> KeyError {
    config(format!("`{}` cannot be read: {error}", path.display()))
}

fn config(detail: String) -> KeyError {
    KeyError::new(KeyErrorKind::Config, WHAT, detail)
}
