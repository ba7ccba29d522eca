//! The rows of many steps, table by table.

use chancery_pipeline::ports::Write;

use crate::connection::Db;
use crate::fault::{Done, Fault};
use crate::tables::{audit, body, case, delivery, document, lookup, message, once, wrapping};

/// Rows that wait to be inserted, and updates that wait for them.
#[derive(Default)]
pub(super) struct Rows<'a> {
    messages: Vec<message::Put<'a>>,
    bodies: Vec<body::Put<'a>>,
    deliveries: Vec<delivery::Put<'a>>,
    segments: Vec<body::PutSegment<'a>>,
    cases: Vec<case::Put<'a>>,
    votes: Vec<case::PutVote<'a>>,
    lookups: Vec<lookup::Put<'a>>,
    keys: Vec<once::PutKey<'a>>,
    nonces: Vec<once::PutNonce<'a>>,
    documents: Vec<document::Put<'a>>,
    pub(super) leaves: Vec<audit::Put<'a>>,
    updates: Vec<Update<'a>>,
    /// Of new rows, and of rows that change.
    wrappings: Vec<wrapping::Put>,
    rewrapped: Vec<wrapping::Put>,
}

enum Update<'a> {
    Message(message::Put<'a>),
    Delivery(delivery::Put<'a>),
    Body(body::Put<'a>),
    Case(case::Put<'a>),
}

// === impl Rows ===

impl<'b> Rows<'b> {
    /// Takes a write in; some are carried out at once.
    pub(super) fn add(&mut self, db: &mut Db, write: &'b Write) -> Done {
        // Every row that holds a wrapped key passes here: none is forgotten.
        if let Some(held) = write.wrapping() {
            match write {
                Write::InsertMessage(_) | Write::InsertBody(_) => {
                    self.wrappings.push((&held).into())
                }
                _ => self.rewrapped.push((&held).into()),
            }
        }
        match write {
            Write::InsertMessage(row) => self.messages.push(first(row.version, row.as_ref())?),
            Write::UpdateMessage(row) => {
                self.updates.push(Update::Message(row.as_ref().try_into()?))
            }
            Write::InsertDelivery(row) => self.deliveries.push(first(row.version, row.as_ref())?),
            Write::UpdateDelivery(row) => self
                .updates
                .push(Update::Delivery(row.as_ref().try_into()?)),
            Write::InsertBody(row) => self.bodies.push(first(row.version, row.as_ref())?),
            Write::UpdateBody(row) => self.updates.push(Update::Body(row.as_ref().try_into()?)),
            Write::InsertSegment(row) => self.segments.push(row.into()),
            Write::InsertCase(row) => self.cases.push(first(row.version, row.as_ref())?),
            Write::UpdateCase(row) => self.updates.push(Update::Case(row.as_ref().try_into()?)),
            Write::InsertVote(row) => self.votes.push(row.as_ref().into()),
            Write::InsertIndex {
                kind,
                digest,
                message,
                unique,
            } => {
                self.lookups
                    .push(lookup::Put::new(*kind, digest, message, *unique));
            }
            Write::InsertIdempotency(row) => self.keys.push(row.as_ref().into()),
            Write::InsertNonce(nonce) => self.nonces.push(nonce.into()),
            Write::InsertDocument(row) => self.documents.push(row.as_ref().into()),
            // What is inserted after a deletion must meet it, what was before must be met by it.
            Write::DeleteBody(id) => {
                std::mem::take(self).flush(db)?;
                body::delete(db, id)?;
                wrapping::delete_body(db, id)?;
            }
            // The count is of what is there, all rows before it included.
            Write::CloseKek { kek, generation } => {
                std::mem::take(self).flush(db)?;
                wrapping::close(db, kek, *generation)?;
            }
            Write::ForgetIdempotency(until) => {
                std::mem::take(self).flush(db)?;
                once::forget_keys(db, *until)?;
            }
        }
        Ok(())
    }

    /// Rows before those that refer to them, updates last: no update makes an
    /// insert possible that was not before.
    pub(super) fn flush(self, db: &mut Db) -> Done {
        message::insert(db, &self.messages)?;
        body::insert(db, &self.bodies)?;
        delivery::insert(db, &self.deliveries)?;
        body::insert_segments(db, &self.segments)?;
        case::insert(db, &self.cases)?;
        case::insert_votes(db, &self.votes)?;
        lookup::insert(db, &self.lookups)?;
        once::insert_keys(db, &self.keys)?;
        once::insert_nonces(db, &self.nonces)?;
        document::insert(db, &self.documents)?;
        for update in &self.updates {
            match update {
                Update::Message(row) => message::update(db, row)?,
                Update::Delivery(row) => delivery::update(db, row)?,
                Update::Body(row) => body::update(db, row)?,
                Update::Case(row) => case::update(db, row)?,
            }
        }
        wrapping::insert(db, &self.wrappings)?;
        wrapping::replace(db, &self.rewrapped)?;
        audit::insert(db, &self.leaves)
    }
}

/// A new row; its version is 1, or it was not made for this.
fn first<'b, R, P: TryFrom<&'b R, Error = Fault>>(version: u64, row: &'b R) -> Done<P> {
    if version == 1 {
        row.try_into()
    } else {
        Err(Fault::Conflict)
    }
}
