//! What can go wrong with a database, and what that means for a step.

use chancery_audit::TreeError;
use chancery_pipeline::ports::LedgerError;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failure, sorted by what has to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The state is not what the step was made for.
    Conflict,
    /// A key is taken; in which table.
    Duplicate(&'static str),
    /// The connection is of no more use: open another.
    Lost(String),
    /// The database does not do it now.
    Refused(String),
    /// What was read cannot have been written by us.
    Damaged(String),
    /// Another writer has taken the log over.
    Superseded,
}

pub(crate) type Done<T = ()> = Result<T, Fault>;

// === impl Fault ===

impl Fault {
    /// Names the table of a duplicate.
    pub(crate) fn in_table(self, table: &'static str) -> Self {
        match self {
            Self::Duplicate(_) => Self::Duplicate(table),
            other => other,
        }
    }

    /// A stored value that no row of ours can have.
    pub(crate) fn damaged(what: &str) -> Self {
        Self::Damaged(format!("`{what}` holds no value it can have"))
    }
}

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, information) => {
                from_kind(&kind, information.message())
            }
            DieselError::NotFound => Self::Damaged("a row that is always there is missing".into()),
            DieselError::DeserializationError(_) => {
                Self::Damaged("a column holds no value of its type".into())
            }
            DieselError::BrokenTransactionManager | DieselError::RollbackErrorOnCommit { .. } => {
                Self::Lost("the transaction is broken".into())
            }
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Messages of both databases name tables and constraints, never values.
fn from_kind(kind: &DatabaseErrorKind, message: &str) -> Fault {
    match kind {
        DatabaseErrorKind::UniqueViolation => Fault::Duplicate("row"),
        DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::SerializationFailure => {
            Fault::Conflict
        }
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            Fault::Lost(message.to_owned())
        }
        // A key was closed since: what was made under it is made again.
        _ if message.starts_with("kek_closed") => Fault::Conflict,
        // SQLite's own words; Diesel tells no more of its codes.
        _ if message.starts_with("disk I/O error") => Fault::Lost(message.to_owned()),
        _ if message.contains("malformed") || message.contains("not a database") => {
            Fault::Damaged(message.to_owned())
        }
        _ => Fault::Refused(message.to_owned()),
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict => Self::Conflict,
            Fault::Duplicate(what) => Self::Duplicate { what, message: None },
            Fault::Lost(text) | Fault::Refused(text) => Self::Unavailable(text),
            Fault::Damaged(text) => Self::Corrupt(text),
            Fault::Superseded => Self::Unavailable(
                "another process has taken this node's log over; stop one of them and start the other anew".into(),
            ),
        }
    }
}

impl From<TreeError> for Fault {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Read(text) => Self::Refused(text),
            // A proof is asked for up to a signed checkpoint: a log that is
            // shorter than that has lost records.
            other => Self::Damaged(other.to_string()),
        }
    }
}
