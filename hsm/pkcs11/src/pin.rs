//! The PIN: read from a file that nobody else can read, kept out of swap, wiped
//! on drop, shown to nobody.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cryptoki::types::AuthPin;
use rustix::fs::{Mode, OFlags};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

/// Shortest PIN taken. Tokens claim minima of their own and do not always keep them.
const MIN_LENGTH: usize = 8;
/// Longest PIN taken.
const MAX_LENGTH: usize = 128;
/// Fewer distinct characters than this is no PIN.
const MIN_DISTINCT: usize = 4;
/// Those that manuals and distributions use in their examples.
const WELL_KNOWN: [&str; 8] = [
    "12345678",
    "123456789",
    "1234567890",
    "87654321",
    "password",
    "changeme",
    "changeit",
    "so-pin-1234",
];

/// A token's PIN. Clones share the one place in memory where it stands.
#[derive(Clone)]
pub struct Pin(Arc<Kept>);

struct Kept {
    /// Wiped when the last clone goes.
    pin: AuthPin,
    /// The page stays out of swap for as long as the process lives: unlocking
    /// it would unlock whatever else stands there.
    _locked: Option<ManuallyDrop<region::LockGuard>>,
}

/// Why a PIN was not taken. Never tells the PIN.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be read.
    #[error("the PIN file {path} cannot be opened: {source}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is open to others.
    #[error("the PIN file {path} {what}: make it a plain file of this user with mode 0400")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// No such credential was handed over.
    #[error("no credential directory: this process was not started with LoadCredential")]
    NoCredentials,
    /// The text is no PIN.
    #[error("{0}")]
    Unfit(&'static str),
}

impl Pin {
    /// Takes a PIN.
    ///
    /// # Errors
    /// [`PinError::Unfit`] when it is too short, too long, has characters that
    /// cannot be typed, or is one that everybody knows.
    pub fn new(text: &str) -> Result<Self, PinError> {
        if text.len() < MIN_LENGTH {
            return Err(PinError::Unfit("a PIN has at least 8 characters"));
        }
        if text.len() > MAX_LENGTH {
            return Err(PinError::Unfit("a PIN has at most 128 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(PinError::Unfit(
                "a PIN is one line without control characters",
            ));
        }
        let mut distinct: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < MIN_DISTINCT {
            return Err(PinError::Unfit("a PIN has at least 4 different characters"));
        }
        if WELL_KNOWN
            .iter()
            .any(|known| text.eq_ignore_ascii_case(known))
        {
            return Err(PinError::Unfit(
                "this PIN stands in every manual: choose another",
            ));
        }
        Ok(Self(Arc::new(Kept::new(text))))
    }

    /// Reads the PIN from a file of this user with mode 0400; no link is followed.
    /// One line end at its end is not part of the PIN.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn from_file(path: &Path) -> Result<Self, PinError> {
        Self::from_private_file(path, Self::new)
    }

    /// The PIN of a person's own token, as he or she types it: cards take four
    /// digits and more, and lock after a few wrong ones.
    ///
    /// # Errors
    /// [`PinError::Unfit`].
    pub fn of_a_person(text: &str) -> Result<Self, PinError> {
        if !(4..=MAX_LENGTH).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(PinError::Unfit(
                "a PIN has 4 to 128 characters, all of which can be typed",
            ));
        }
        Ok(Self(Arc::new(Kept::new(text))))
    }

    /// The same from a file, as [`Pin::from_file`] reads it.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn of_a_person_from_file(path: &Path) -> Result<Self, PinError> {
        Self::from_private_file(path, Self::of_a_person)
    }

    fn from_private_file(
        path: &Path,
        take: fn(&str) -> Result<Self, PinError>,
    ) -> Result<Self, PinError> {
        let file = open(path)?;
        let meta = metadata(&file, path)?;
        let exposed = |what| PinError::Exposed {
            path: path.to_owned(),
            what,
        };
        if !meta.is_file() {
            return Err(exposed("is no plain file"));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(exposed("belongs to another user"));
        }
        if meta.mode() & 0o7777 != 0o400 {
            return Err(exposed("has another mode than 0400"));
        }
        if meta.nlink() != 1 {
            return Err(exposed("has a second name (hard link)"));
        }
        Self::from_open(file, path, take)
    }

    /// Reads the PIN from a systemd credential (`LoadCredential=`,
    /// `LoadCredentialEncrypted=`) below `folder`, the value of
    /// `CREDENTIALS_DIRECTORY`; none means that there is no such folder.
    ///
    /// The folder belongs to the service manager, hence no check of the owner;
    /// the group's bits may show an access list's mask, others' may not be set.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn from_credential(folder: Option<&Path>, name: &str) -> Result<Self, PinError> {
        let folder = folder.ok_or(PinError::NoCredentials)?;
        let path = folder.join(name);
        let inside = Path::new(name).components().count() == 1
            && matches!(
                Path::new(name).components().next(),
                Some(std::path::Component::Normal(_))
            );
        if !inside {
            return Err(PinError::Unfit("a credential's name has no path"));
        }
        let file = open(&path)?;
        let meta = metadata(&file, &path)?;
        if !meta.is_file() || meta.mode() & 0o7037 != 0 {
            return Err(PinError::Exposed {
                path,
                what: "is open to others",
            });
        }
        Self::from_open(file, &path, Self::new)
    }

    fn from_open(
        file: File,
        path: &Path,
        take: fn(&str) -> Result<Self, PinError>,
    ) -> Result<Self, PinError> {
        // One byte more than is taken, so that too long a file shows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LENGTH + 3));
        file.take(MAX_LENGTH as u64 + 3)
            .read_to_end(&mut bytes)
            .map_err(|source| PinError::Open {
                path: path.to_owned(),
                source,
            })?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| PinError::Unfit("the PIN file is not text in UTF-8"))?;
        take(
            text.strip_suffix("\r\n")
                .or_else(|| text.strip_suffix('\n'))
                .unwrap_or(text),
        )
    }

    /// True if both are the same text.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.pin.expose_secret() == other.0.pin.expose_secret()
    }

    pub(crate) fn auth(&self) -> &AuthPin {
        &self.0.pin
    }
}

impl Kept {
    fn new(text: &str) -> Self {
        let pin = AuthPin::new(Box::from(text));
        let place = pin.expose_secret();
        let locked = region::lock(place.as_ptr(), place.len());
        if let Err(error) = &locked {
            tracing::warn!(%error, "the PIN is not kept out of swap: raise LimitMEMLOCK");
        }
        Self {
            pin,
            _locked: locked.ok().map(ManuallyDrop::new),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

fn open(path: &Path) -> Result<File, PinError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| PinError::Open {
            path: path.to_owned(),
            source: errno.into(),
        })
}

fn metadata(file: &File, path: &Path) -> Result<std::fs::Metadata, PinError> {
    file.metadata().map_err(|source| PinError::Open {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn file(folder: &Path, mode: u32, content: &[u8]) -> PathBuf {
        let path = folder.join("pin");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_of_mode_0400_is_read_and_its_line_end_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o400, b"correct horse\n");
        let pin = Pin::from_file(&path).unwrap();
        assert_eq!(pin.auth().expose_secret(), "correct horse");
        assert_eq!(format!("{pin:?}"), "Pin(..)");
    }

    #[test]
    fn other_modes_are_refused() {
        for mode in [0o600, 0o440, 0o404, 0o444, 0o644, 0o4400] {
            let folder = tempfile::tempdir().unwrap();
            let path = file(folder.path(), mode, b"correct horse\n");
            let error = Pin::from_file(&path).unwrap_err();
            assert!(
                matches!(error, PinError::Exposed { .. }),
                "{mode:o}: {error}"
            );
        }
    }

    #[test]
    fn links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o400, b"correct horse\n");
        let soft = folder.path().join("soft");
        symlink(&path, &soft).unwrap();
        assert!(matches!(Pin::from_file(&soft), Err(PinError::Open { .. })));
        std::fs::hard_link(&path, folder.path().join("hard")).unwrap();
        assert!(matches!(
            Pin::from_file(&path),
            Err(PinError::Exposed { .. })
        ));
    }

    #[test]
    fn what_is_no_pin_is_refused_and_never_repeated() {
        for bad in [
            "",
            "short77",
            "12345678",
            "aaaaaaaabbb",
            "two\nlines here",
            "Password",
        ] {
            let error = Pin::new(bad).unwrap_err();
            assert!(
                bad.is_empty() || !error.to_string().contains(bad),
                "{error}"
            );
        }
        assert!(Pin::new(&"abcd".repeat(33)).is_err());
        assert!(Pin::new(&"abcd".repeat(32)).is_ok());
    }

    #[test]
    fn a_credential_needs_its_folder_and_a_plain_name() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), 0o440, b"correct horse");
        assert!(Pin::from_credential(Some(folder.path()), "pin").is_ok());
        assert!(matches!(
            Pin::from_credential(None, "pin"),
            Err(PinError::NoCredentials)
        ));
        assert!(Pin::from_credential(Some(folder.path()), "../pin").is_err());
        assert!(Pin::from_credential(Some(folder.path()), "").is_err());
        file(folder.path(), 0o444, b"correct horse");
    }
}
