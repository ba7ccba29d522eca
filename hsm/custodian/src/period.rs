//! Crypto-periods: for how long a key makes things, and for how long it opens
//! what it made (originator and recipient usage period, NIST SP 800-57 part 1
//! rev. 5, section 5.3).

use chancery_hsm_api::KeyRole;
use serde::{Deserialize, Serialize};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// For how long keys are used, by role. They are fixed for a key when it is
/// activated; later changes are for later keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Periods {
    /// Key-encryption keys: SP 800-57 says up to two years.
    pub kek: Period,
    /// Keyed digests over rows and indexes. What was written under a generation
    /// is checked with it for good. WARNING: after the end of opening what stands
    /// under it is no longer believed.
    pub mac: Period,
    /// Checkpoints of the audit log: SP 800-57 says one to three years for a
    /// private signature key. After its end nothing is released.
    pub checkpoint: Period,
    /// OpenPGP signatures.
    pub pgp_sign: Period,
    /// OpenPGP decryption: the partners' side ends with the certificate.
    pub pgp_decrypt: Period,
    /// TLS handshakes of the doors.
    pub tls: Period,
}

/// One role's periods; 0 means without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Days from the activation in which things are made with the key.
    pub make_days: u32,
    /// Days from the activation in which what it made is opened.
    pub open_days: u32,
}

impl Period {
    const fn days(make_days: u32) -> Self {
        Self {
            make_days,
            open_days: 0,
        }
    }

    /// The ends, for a key activated at `from` (microseconds since 1970).
    pub(crate) fn ends(self, from: i64) -> (Option<i64>, Option<i64>) {
        let end = |days: u32| (days > 0).then(|| from.saturating_add(i64::from(days) * DAY));
        (end(self.make_days), end(self.open_days))
    }
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            kek: Period::days(730),
            mac: Period::days(0),
            checkpoint: Period::days(1095),
            pgp_sign: Period::days(1095),
            pgp_decrypt: Period::days(0),
            tls: Period::days(730),
        }
    }
}

impl Periods {
    /// The periods of a role.
    #[must_use]
    pub const fn of(&self, role: &KeyRole) -> Period {
        match role {
            KeyRole::Kek(_) => self.kek,
            KeyRole::Mac(_) => self.mac,
            KeyRole::AuditCheckpoint => self.checkpoint,
            KeyRole::PgpSign => self.pgp_sign,
            KeyRole::PgpDecrypt => self.pgp_decrypt,
            KeyRole::Tls(_) => self.tls,
        }
    }
}
