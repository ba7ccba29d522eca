//! The same rows by plain Diesel: one connection, multi-row inserts, as many
//! transactions as the store needed. No queue, no tree, no hashes, no books.

use std::time::Instant;

use chancery_audit::{Record, leaf_hash};
use chancery_pipeline::ports::{Step, Write};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::{PgConnection, SqliteConnection};

use super::support::rows::submission;
use super::support::world::{LOG, World};

diesel::table! { message (id) {
    id -> Binary, version -> BigInt, state -> Text, channel -> Text, sender -> Nullable<Text>, rank -> SmallInt,
    registration -> BigInt, reference -> Binary, received_at -> BigInt, document -> Binary, sealed -> Binary,
    mac -> Binary,
} }
diesel::table! { delivery (id) {
    id -> Binary, version -> BigInt, message -> Binary, position -> BigInt, recipient -> Text, role -> Text,
    channel -> Text, state -> Text, urgency -> SmallInt, created_at -> BigInt, next_at -> Nullable<BigInt>,
    due_at -> Nullable<BigInt>, attempts -> BigInt, document -> Binary, mac -> Binary,
} }
diesel::table! { lookup (id) {
    id -> BigInt, kind -> Text, digest -> Binary, message -> Binary, is_unique -> Bool,
} }
diesel::table! { idempotency (participant, key) {
    participant -> Text, key -> Binary, request -> Binary, message -> Binary, expires_at -> BigInt,
} }
diesel::table! { audit_leaf (log_id, seq) {
    log_id -> Text, seq -> BigInt, leaf_hash -> Binary, message -> Nullable<Binary>, delivery -> Nullable<Binary>,
    record -> Binary,
} }

#[derive(Insertable)]
#[diesel(table_name = message, treat_none_as_default_value = false)]
struct Message {
    id: Vec<u8>,
    version: i64,
    state: String,
    channel: String,
    sender: Option<String>,
    rank: i16,
    registration: i64,
    reference: Vec<u8>,
    received_at: i64,
    document: Vec<u8>,
    sealed: Vec<u8>,
    mac: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = delivery, treat_none_as_default_value = false)]
struct Delivery {
    id: Vec<u8>,
    version: i64,
    message: Vec<u8>,
    position: i64,
    recipient: String,
    role: String,
    channel: String,
    state: String,
    urgency: i16,
    created_at: i64,
    next_at: Option<i64>,
    due_at: Option<i64>,
    attempts: i64,
    document: Vec<u8>,
    mac: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = lookup, treat_none_as_default_value = false)]
struct Lookup {
    kind: String,
    digest: Vec<u8>,
    message: Vec<u8>,
    is_unique: bool,
}

#[derive(Insertable)]
#[diesel(table_name = idempotency, treat_none_as_default_value = false)]
struct Key {
    participant: String,
    key: Vec<u8>,
    request: Vec<u8>,
    message: Vec<u8>,
    expires_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = audit_leaf, treat_none_as_default_value = false)]
struct Leaf {
    log_id: String,
    seq: i64,
    leaf_hash: Vec<u8>,
    message: Option<Vec<u8>>,
    delivery: Option<Vec<u8>>,
    record: Vec<u8>,
}

/// The rows of one transaction.
#[derive(Default)]
struct Rows {
    messages: Vec<Message>,
    deliveries: Vec<Delivery>,
    lookups: Vec<Lookup>,
    keys: Vec<Key>,
    leaves: Vec<Leaf>,
}

/// Seconds that it takes to write so many submissions in so many transactions.
pub(super) fn run(world: &World, steps: u64, commits: u64) -> f64 {
    let mut batches = Vec::new();
    let mut seq = 0;
    for commit in 0..commits {
        let mut rows = Rows::default();
        for n in steps * commit / commits..steps * (commit + 1) / commits {
            rows.add(submission(n), n, &mut seq);
        }
        batches.push(rows);
    }
    if world.is_sqlite() {
        let mut db = SqliteConnection::establish(world.file().to_str().unwrap()).unwrap();
        db.batch_execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
        )
        .unwrap();
        let begin = Instant::now();
        for rows in &batches {
            db.immediate_transaction(|db| insert(db, rows)).unwrap();
        }
        begin.elapsed().as_secs_f64()
    } else {
        let mut db = PgConnection::establish(&world.url).unwrap();
        let begin = Instant::now();
        for rows in &batches {
            db.transaction(|db| insert(db, rows)).unwrap();
        }
        begin.elapsed().as_secs_f64()
    }
}

/// For either connection: a generic function would need a page of bounds.
trait Insert {
    fn rows(&mut self, rows: &Rows) -> QueryResult<()>;
}

macro_rules! insert {
    ($($connection:ty),+) => { $(
        impl Insert for $connection {
            fn rows(&mut self, rows: &Rows) -> QueryResult<()> {
                diesel::insert_into(message::table).values(&rows.messages).execute(self)?;
                diesel::insert_into(delivery::table).values(&rows.deliveries).execute(self)?;
                diesel::insert_into(lookup::table).values(&rows.lookups).execute(self)?;
                diesel::insert_into(idempotency::table).values(&rows.keys).execute(self)?;
                diesel::insert_into(audit_leaf::table).values(&rows.leaves).execute(self)?;
                Ok(())
            }
        }
    )+ };
}
insert!(SqliteConnection, PgConnection);

fn insert(db: &mut impl Insert, rows: &Rows) -> QueryResult<()> {
    db.rows(rows)
}

impl Rows {
    fn add(&mut self, step: Step, n: u64, seq: &mut u64) {
        let number = |value: u64| i64::try_from(value).unwrap();
        for write in step.writes {
            match write {
                Write::InsertMessage(row) => self.messages.push(Message {
                    id: row.id.as_bytes().to_vec(),
                    version: 1,
                    state: "sealed".into(),
                    channel: "rest".into(),
                    sender: row.sender.map(|id| id.to_string()),
                    rank: 2,
                    registration: number(n),
                    reference: row.reference.as_bytes().to_vec(),
                    received_at: row.received_at.as_micros(),
                    document: row.document,
                    sealed: row.sealed,
                    mac: row.mac.to_vec(),
                }),
                Write::InsertDelivery(row) => self.deliveries.push(Delivery {
                    id: row.id.as_bytes().to_vec(),
                    version: 1,
                    message: row.message.as_bytes().to_vec(),
                    position: i64::from(row.position),
                    recipient: row.recipient.to_string(),
                    role: "to".into(),
                    channel: "siena".into(),
                    state: "queued".into(),
                    urgency: 4,
                    created_at: row.created_at.as_micros(),
                    next_at: None,
                    due_at: row.due_at.map(chancery_message::Timestamp::as_micros),
                    attempts: 0,
                    document: row.document,
                    mac: row.mac.to_vec(),
                }),
                Write::InsertIndex {
                    kind,
                    digest,
                    message,
                    unique,
                } => self.lookups.push(Lookup {
                    kind: kind.word().into(),
                    digest: digest.to_vec(),
                    message: message.as_bytes().to_vec(),
                    is_unique: unique,
                }),
                Write::InsertIdempotency(row) => self.keys.push(Key {
                    participant: row.participant.to_string(),
                    key: row.key.to_vec(),
                    request: row.request.to_vec(),
                    message: row.message.as_bytes().to_vec(),
                    expires_at: row.expires_at.as_micros(),
                }),
                other => panic!("not part of a submission: {other:?}"),
            }
        }
        for event in step.events {
            let (message, delivery) = (event.message, event.delivery);
            let record = Record::new(&LOG.parse().unwrap(), *seq, event).encode();
            self.leaves.push(Leaf {
                log_id: LOG.into(),
                seq: number(*seq),
                leaf_hash: leaf_hash(&record).to_vec(),
                message: message.map(|id| id.as_bytes().to_vec()),
                delivery: delivery.map(|id| id.as_bytes().to_vec()),
                record,
            });
            *seq += 1;
        }
    }
}
