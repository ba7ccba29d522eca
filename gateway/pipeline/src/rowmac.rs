//! Rows authenticated with their place: what an attacker with the database
//! alone changes, moves or puts back shows before it is used.

use chancery_seal::RowMismatch;
use serde::Serialize;

use crate::gateway::{Gateway, StageError};
use crate::rows::{BodyRow, CaseRow, DeliveryRow, MessageRow};

fn canonical<T: Serialize>(fields: &T) -> Vec<u8> {
    // INVARIANT: fields are plain values; encoding them into memory cannot fail.
    postcard::to_stdvec(fields).unwrap_or_default()
}

macro_rules! authenticated {
    ($row:ident, $table:literal, $make:ident, $check:ident, [$($field:ident),+ $(,)?]) => {
        #[doc = concat!("The digest of a row of `", $table, "`.")]
        #[must_use]
        pub(crate) fn $make(gateway: &Gateway, row: &$row) -> [u8; 32] {
            let fields = canonical(&($((&row.$field),)+));
            gateway.row_key.mac($table, row.id.as_bytes(), row.version, &fields)
        }

        #[doc = concat!("Checks a row of `", $table, "` that was read.")]
        ///
        /// # Errors
        /// [`StageError::Corrupt`].
        pub(crate) fn $check(gateway: &Gateway, row: &$row) -> Result<(), StageError> {
            let fields = canonical(&($((&row.$field),)+));
            gateway
                .row_key
                .verify($table, row.id.as_bytes(), row.version, &fields, &row.mac)
                .map_err(|RowMismatch| {
                    StageError::Corrupt(format!("row {} {} is not what was written", $table, row.id))
                })
        }
    };
}

authenticated!(
    MessageRow,
    "message",
    message,
    check_message,
    [
        document,
        sealed,
        rank,
        registration,
        reference,
        received_at,
        sender,
        channel,
        state
    ]
);
authenticated!(
    DeliveryRow,
    "delivery",
    delivery,
    check_delivery,
    [
        message, position, recipient, role, channel, state, precedence, created_at, next_at,
        due_at, attempts, document
    ]
);
authenticated!(
    BodyRow,
    "body",
    body,
    check_body,
    [
        state, owner, message, created_at, expires_at, size, segments, document
    ]
);
authenticated!(
    CaseRow,
    "case",
    case,
    check_case,
    [
        delivery, message, state, opened_at, due_at, digest, document
    ]
);
