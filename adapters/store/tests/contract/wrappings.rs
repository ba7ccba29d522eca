//! Under which key each content key is, and keys that are closed.

use chancery_hsm_api::{KekId, WrapScheme, WrappedKey};
use chancery_pipeline::ports::{Ledger as _, LedgerError, Write};
use chancery_pipeline::rows::{BodyRow, BodyState, Holder, MessageRow};

use super::support::rows::{body, body_id, message, message_id, writes};
use super::support::world::World;

/// What a sealed row begins with: format, id, wrapped key.
fn sealed(id: [u8; 16], generation: u32) -> Vec<u8> {
    let wrapped = WrappedKey {
        kek: KekId::Intake,
        generation,
        scheme: WrapScheme::AesKw,
        blob: vec![7; 40],
    };
    let id = chancery_message::MessageId::from_bytes(id);
    let mut bytes = postcard::to_stdvec(&(1u8, id, wrapped)).unwrap();
    bytes.extend_from_slice(b"what follows");
    bytes
}

fn under(n: u64, generation: u32) -> MessageRow {
    let row = message(n);
    MessageRow {
        sealed: sealed(*row.id.as_bytes(), generation),
        ..row
    }
}

pub(crate) fn a_key_is_closed_only_when_nothing_is_under_it_and_stays_so(world: &World) {
    let store = world.open();
    let close = |generation| {
        store.commit(writes(vec![Write::CloseKek {
            kek: KekId::Intake,
            generation,
        }]))
    };
    let stream = |version, generation| {
        let row = body(9);
        Box::new(BodyRow {
            version,
            state: BodyState::Complete,
            message: None,
            document: sealed(*row.id.as_bytes(), generation),
            ..row
        })
    };
    store
        .commit(writes(vec![
            Write::InsertMessage(Box::new(under(1, 1))),
            Write::InsertMessage(Box::new(under(2, 1))),
            Write::InsertMessage(Box::new(under(3, 2))),
            Write::InsertBody(Box::new(BodyRow {
                state: BodyState::Open,
                message: None,
                document: Vec::new(),
                ..body(9)
            })),
        ]))
        .unwrap();
    // A stream has no key of its own to count before it ends.
    assert_eq!(store.count_under_kek(&KekId::Intake, 1).unwrap(), 2);
    store
        .commit(writes(vec![Write::UpdateBody(stream(2, 1))]))
        .unwrap();
    assert_eq!(store.count_under_kek(&KekId::Intake, 1).unwrap(), 3);
    let all = store.under_kek(&KekId::Intake, 1, 10).unwrap();
    assert!(all.contains(&Holder::Message(message_id(2))));
    assert!(all.contains(&Holder::Body(body_id(9))));
    assert_eq!(store.under_kek(&KekId::Intake, 1, 2).unwrap().len(), 2);
    assert_eq!(close(1), Err(LedgerError::Conflict));

    for n in [1, 2] {
        let moved = MessageRow {
            version: 2,
            ..under(n, 2)
        };
        store
            .commit(writes(vec![Write::UpdateMessage(Box::new(moved))]))
            .unwrap();
    }
    assert_eq!(close(1), Err(LedgerError::Conflict));
    store
        .commit(writes(vec![Write::UpdateBody(stream(3, 2))]))
        .unwrap();
    close(1).unwrap();
    close(1).unwrap();
    assert_eq!(store.count_under_kek(&KekId::Intake, 2).unwrap(), 4);

    // What was sealed before and comes late is refused, and made again.
    let late = store.commit(writes(vec![Write::InsertMessage(Box::new(under(4, 1)))]));
    assert_eq!(late.unwrap_err(), LedgerError::Conflict);
    assert_eq!(store.message(&message_id(4)).unwrap(), None);
    drop(store);
    let store = world.open();
    store
        .commit(writes(vec![Write::InsertMessage(Box::new(under(4, 2)))]))
        .unwrap();
    store
        .commit(writes(vec![Write::DeleteBody(body_id(9))]))
        .unwrap();
    assert_eq!(store.count_under_kek(&KekId::Intake, 2).unwrap(), 4);
}
