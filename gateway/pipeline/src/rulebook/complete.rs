//! Whether the tables of the rules are as new as the log: before core serves.
//!
//! Every version of a rule raises the epoch, in the same transaction as its
//! record. So the number of versions is the epoch, and no record of this node's
//! log can name a later one:
//!
//! ```text
//! versions in the tables  =  epoch of the database  >=  last epoch in the log
//! ```
//!
//! A table whose newest versions were cut off has fewer; one put back whole from
//! an older time is behind the log. Each row is authenticated with its place, so
//! that none can be made up to fill the gap. Another node of the same database may
//! have raised the epoch since this node's last record.

use chancery_audit::{Key, Record};

use super::{Book, BookError};
use crate::ports::Ledger;

/// Leaves read at one time, from the head backwards.
const PAGE: u32 = 500;

impl Book {
    /// Refuses tables of rules that are not those of the log.
    ///
    /// # Errors
    /// [`BookError::Incomplete`] or [`BookError::Behind`].
    pub fn complete(&self, ledger: &dyn Ledger) -> Result<(), BookError> {
        let versions = self.epoch();
        let epoch = ledger.epoch()?;
        if versions != epoch {
            return Err(BookError::Incomplete { versions, epoch });
        }
        let log = last_epoch(ledger)?;
        if log > epoch {
            return Err(BookError::Behind { epoch, log });
        }
        Ok(())
    }
}

/// The epoch of the last record that names one; 0 where none does.
fn last_epoch(ledger: &dyn Ledger) -> Result<u64, BookError> {
    let mut end = ledger.head()?.size;
    while end > 0 {
        let from = end.saturating_sub(u64::from(PAGE));
        let leaves = ledger.leaves(from, u32::try_from(end - from).unwrap_or(PAGE))?;
        for leaf in leaves.iter().rev() {
            let record = Record::parse(&leaf.record)
                .map_err(|error| BookError::Damaged(format!("record {}: {error}", leaf.seq)))?;
            let epoch = record
                .event
                .details
                .get(Key::Epoch)
                .and_then(chancery_audit::Value::as_integer)
                .and_then(|epoch| u64::try_from(epoch).ok());
            if let Some(epoch) = epoch {
                return Ok(epoch);
            }
        }
        end = from;
    }
    Ok(0)
}
