//! Partners' OpenPGP certificates, as the cryptographic policy looks at them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chancery_mail::content::certificate;
use chancery_message::{ContentProtection, Timestamp};
use chancery_pipeline::ports::CertificateAlgorithms;
use sha2::{Digest as _, Sha256};

/// Certificates that are remembered.
const MOST: usize = 4096;
/// For how long, microseconds: a decision asks often, a mail that goes out
/// looks again.
const REMEMBERED: i64 = 60_000_000;

/// What was read, and when.
type Read = (Timestamp, Option<ContentProtection>);

/// Reads them, and remembers for a while.
#[derive(Debug, Default)]
pub(crate) struct Reader(Mutex<HashMap<[u8; 32], Read>>);

impl CertificateAlgorithms for Reader {
    fn algorithms(&self, registered: &[u8], now: Timestamp) -> Option<ContentProtection> {
        let key: [u8; 32] = Sha256::digest(registered).into();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, read)) = known.get(&key)
            && (0..REMEMBERED).contains(&now.as_micros().saturating_sub(at.as_micros()))
        {
            return read.clone();
        }
        let read = certificate::read_file(registered)
            .and_then(|binary| certificate::algorithms(&binary, now))
            .ok();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (now, read.clone()));
        read
    }
}
