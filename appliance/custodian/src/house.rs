//! The custodian's own folder: its lock, log, book and count of wrong PINs.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use chancery_hsm_api::Inventory as _;
use chancery_hsm_custodian::{ChainLog, CustodianSettings, Event, Outcome, Recorder as _};
use chancery_hsm_pkcs11::{Token, Tries};

use crate::{Failure, clock};

/// In the custodian's log: the serial number of this node's token.
const BOUND: &str = "token.bound";

/// The folder, taken by this process alone.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) log: Arc<ChainLog>,
    pub(crate) tries: Tries,
    /// Held until the process ends.
    _lock: File,
}

impl House {
    /// Takes the folder; makes it when it is not there.
    pub(crate) fn open(settings: &CustodianSettings) -> Result<Self, Failure> {
        let folder = &settings.state_dir;
        make_folder(folder)?;
        check_private(folder)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Failure::file(&path, "cannot be opened"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure::InUse(folder.clone())),
            Err(TryLockError::Error(error)) => {
                return Err(Failure::file(&path, "cannot be locked")(error));
            }
        }
        let log = Arc::new(ChainLog::open(&folder.join("custodian.log"), clock::now)?);
        Ok(Self {
            log,
            tries: Tries::new(folder.join("pin-tries")),
            _lock: lock,
        })
    }

    /// Writes down what was administered; without that it is not done.
    pub(crate) fn record(&self, operation: &str, detail: String) -> Result<(), Failure> {
        self.write(operation, Outcome::Done, detail)
    }

    /// Writes down what was refused, for example a key that may do too much.
    pub(crate) fn record_refusal(&self, operation: &str, detail: String) -> Result<(), Failure> {
        self.write(operation, Outcome::Refused, detail)
    }

    fn write(&self, operation: &str, outcome: Outcome, detail: String) -> Result<(), Failure> {
        let event = Event {
            client: "custodian".to_owned(),
            operation: operation.to_owned(),
            outcome,
            detail,
            suppressed: 0,
        };
        self.log
            .record(&event)
            .map_err(Failure::system("write the custodian's log"))
    }

    /// Binds this node to its token the first time, and knows it again later: a
    /// token of another node may have the same label, and keys of the same names.
    pub(crate) fn recognise(&self, token: &Token) -> Result<(), Failure> {
        let serial = token.health().serial;
        match self.log.last_done(BOUND) {
            Some(bound) if bound == serial => Ok(()),
            Some(bound) => Err(Failure::Asked(format!(
                "this is another token: its serial number is {serial}, this node's token has \
                 {bound}; if it was exchanged on purpose, run chancery-custodian bind-token"
            ))),
            None => self.record(BOUND, serial),
        }
    }

    /// Binds this node to the token that is there now.
    pub(crate) fn bind(&self, token: &Token) -> Result<String, Failure> {
        let serial = token.health().serial;
        self.record(BOUND, serial.clone())?;
        Ok(serial)
    }
}

/// Makes a folder that only this user may enter, with those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Failure::file(path, "cannot be made")(error))
        }
        _ => Ok(()),
    }
}

fn check_private(path: &Path) -> Result<(), Failure> {
    let meta = std::fs::metadata(path).map_err(Failure::file(path, "cannot be looked at"))?;
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        let shown = path.display();
        return Err(Failure::Asked(format!(
            "{shown}: others may enter it: make it this user's, with mode 0700"
        )));
    }
    Ok(())
}
