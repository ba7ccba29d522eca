//! Every row, every write.

use chancery_message::Channel;
use chancery_pipeline::ports::{Guard, Ledger as _, LedgerError, Step, Write};
use chancery_pipeline::rows::{
    BodyState, CaseState, DeliveryState, DocumentKind, IndexKind, MessageRow, MessageState,
};

use crate::support::rows::*;
use crate::support::world::World;

pub(crate) fn all_rows_come_back_as_they_were_written(world: &World) {
    let store = world.open();
    let mut unknown = message(2);
    unknown.sender = None;
    unknown.state = MessageState::Quarantined;
    unknown.channel = Channel::Mail;
    let mut sent = delivery(11, 1);
    sent.channel = Channel::Mail;
    sent.next_at = Some(at(5));
    sent.due_at = None;
    sent.position = 1;
    let about_quarantine = case(22, 2, None);
    let bound = chancery_pipeline::rows::BodyRow {
        owner: None,
        message: Some(message_id(1)),
        state: BodyState::Bound,
        size: 1 << 40,
        segments: u32::MAX,
        ..body(32)
    };
    let index = |unique, n| Write::InsertIndex {
        kind: IndexKind::Reference,
        digest: digest(n),
        message: message_id(1),
        unique,
    };
    store
        .commit(writes(vec![
            // Rows may come before what they refer to.
            Write::InsertDelivery(Box::new(delivery(10, 1))),
            Write::InsertMessage(Box::new(message(1))),
            Write::InsertMessage(Box::new(unknown.clone())),
            Write::InsertDelivery(Box::new(sent.clone())),
            Write::InsertCase(Box::new(case(21, 1, Some(10)))),
            Write::InsertCase(Box::new(about_quarantine.clone())),
            Write::InsertVote(Box::new(vote(21, "zoe", true))),
            Write::InsertVote(Box::new(vote(21, "anna", false))),
            Write::InsertBody(Box::new(body(31))),
            Write::InsertSegment(segment(31, 0)),
            Write::InsertSegment(segment(31, 1)),
            Write::InsertBody(Box::new(bound.clone())),
            index(false, 41),
            index(true, 42),
            Write::InsertIdempotency(Box::new(idempotency(51, 1))),
            Write::InsertNonce([3; 16]),
            Write::InsertDocument(Box::new(document(DocumentKind::Mou, "mou-1", 1))),
            Write::InsertDocument(Box::new(document(DocumentKind::Mou, "mou-1", 2))),
            Write::InsertDocument(Box::new(document(DocumentKind::Policy, "policy", 3))),
        ]))
        .unwrap();

    assert_eq!(store.message(&message_id(1)).unwrap(), Some(message(1)));
    assert_eq!(store.message(&message_id(2)).unwrap(), Some(unknown));
    assert_eq!(store.message(&message_id(3)).unwrap(), None);
    assert_eq!(
        store.delivery(&delivery_id(10)).unwrap(),
        Some(delivery(10, 1))
    );
    assert_eq!(store.delivery(&delivery_id(12)).unwrap(), None);
    assert_eq!(
        store.deliveries_of(&message_id(1)).unwrap(),
        [delivery(10, 1), sent]
    );
    assert_eq!(
        store.case(&case_id(21)).unwrap(),
        Some(case(21, 1, Some(10)))
    );
    assert_eq!(store.case(&case_id(22)).unwrap(), Some(about_quarantine));
    assert_eq!(
        store.votes(&case_id(21)).unwrap(),
        [vote(21, "zoe", true), vote(21, "anna", false)]
    );
    assert!(store.has_voted(&case_id(21), &officer("anna")).unwrap());
    assert!(!store.has_voted(&case_id(21), &officer("bob")).unwrap());
    assert_eq!(store.body(&body_id(31)).unwrap(), Some(body(31)));
    assert_eq!(store.body(&body_id(32)).unwrap(), Some(bound));
    assert_eq!(
        store.segment(&body_id(31), 1).unwrap(),
        Some(segment(31, 1))
    );
    assert_eq!(store.segment(&body_id(31), 2).unwrap(), None);
    assert_eq!(
        store
            .find_indexed(IndexKind::Reference, &digest(41))
            .unwrap(),
        [message_id(1)]
    );
    assert_eq!(
        store
            .find_indexed(IndexKind::Original, &digest(41))
            .unwrap(),
        []
    );
    assert_eq!(
        store
            .idempotency(&participant("cert-eu"), &digest(51))
            .unwrap(),
        Some(idempotency(51, 1))
    );
    assert_eq!(
        store
            .idempotency(&participant("intcen"), &digest(51))
            .unwrap(),
        None
    );
    let mous = [
        document(DocumentKind::Mou, "mou-1", 1),
        document(DocumentKind::Mou, "mou-1", 2),
    ];
    assert_eq!(store.documents(DocumentKind::Mou).unwrap(), mous);
    assert_eq!(store.documents(DocumentKind::Officer).unwrap(), []);
}

pub(crate) fn updates_replace_the_version_before_alone(world: &World) {
    let store = world.open();
    store
        .commit(writes(vec![
            Write::InsertMessage(Box::new(message(1))),
            Write::InsertDelivery(Box::new(delivery(10, 1))),
            Write::InsertCase(Box::new(case(20, 1, Some(10)))),
            Write::InsertBody(Box::new(body(30))),
        ]))
        .unwrap();

    let mut changed = message(1);
    changed.version = 2;
    changed.state = MessageState::Rejected;
    changed.sender = None;
    changed.document = vec![1];
    let mut opened = delivery(10, 1);
    opened.version = 2;
    opened.state = DeliveryState::Opened;
    opened.attempts = 3;
    opened.due_at = None;
    let mut closed = case(20, 1, Some(10));
    closed.version = 2;
    closed.state = CaseState::Approved;
    let mut complete = body(30);
    complete.version = 2;
    complete.state = BodyState::Complete;
    complete.size = 77;
    let step = writes(vec![
        Write::UpdateMessage(Box::new(changed.clone())),
        Write::UpdateDelivery(Box::new(opened.clone())),
        Write::UpdateCase(Box::new(closed.clone())),
        Write::UpdateBody(Box::new(complete.clone())),
    ]);
    store.commit(step.clone()).unwrap();
    assert_eq!(store.message(&message_id(1)).unwrap(), Some(changed));
    assert_eq!(
        store.delivery(&delivery_id(10)).unwrap(),
        Some(opened.clone())
    );
    assert_eq!(store.case(&case_id(20)).unwrap(), Some(closed));
    assert_eq!(store.body(&body_id(30)).unwrap(), Some(complete.clone()));

    // The same once more, each alone: the version before is gone.
    for write in step.writes {
        assert_eq!(
            store.commit(writes(vec![write])),
            Err(LedgerError::Conflict)
        );
    }
    // A version is skipped; a row is not there; a new row has another version than the first.
    opened.version = 9;
    assert_eq!(
        store.commit(writes(vec![Write::UpdateDelivery(Box::new(opened))])),
        Err(LedgerError::Conflict)
    );
    complete.id = body_id(99);
    complete.version = 3;
    assert_eq!(
        store.commit(writes(vec![Write::UpdateBody(Box::new(complete))])),
        Err(LedgerError::Conflict)
    );
    let late = MessageRow {
        version: 2,
        ..message(5)
    };
    assert_eq!(
        store.commit(writes(vec![Write::InsertMessage(Box::new(late))])),
        Err(LedgerError::Conflict)
    );
}

pub(crate) fn what_is_taken_is_a_duplicate_of_its_holder(world: &World) {
    let store = world.open();
    let unique = |message, n| Write::InsertIndex {
        kind: IndexKind::Original,
        digest: digest(n),
        message: message_id(message),
        unique: true,
    };
    let shared = |message| Write::InsertIndex {
        kind: IndexKind::Reference,
        digest: digest(8),
        message: message_id(message),
        unique: false,
    };
    store
        .commit(writes(vec![
            Write::InsertMessage(Box::new(message(1))),
            Write::InsertMessage(Box::new(message(2))),
            Write::InsertDelivery(Box::new(delivery(10, 1))),
            Write::InsertCase(Box::new(case(20, 1, None))),
            Write::InsertVote(Box::new(vote(20, "anna", true))),
            Write::InsertBody(Box::new(body(30))),
            Write::InsertSegment(segment(30, 0)),
            unique(1, 40),
            shared(1),
            Write::InsertIdempotency(Box::new(idempotency(50, 1))),
            Write::InsertNonce([5; 16]),
        ]))
        .unwrap();
    store.commit(writes(vec![shared(2)])).unwrap();
    assert_eq!(
        store
            .find_indexed(IndexKind::Reference, &digest(8))
            .unwrap(),
        [message_id(2), message_id(1)]
    );

    let first = Some(message_id(1));
    for (write, what, message) in [
        (Write::InsertMessage(Box::new(message(1))), "message", first),
        (
            Write::InsertDelivery(Box::new(delivery(10, 1))),
            "delivery",
            None,
        ),
        (Write::InsertCase(Box::new(case(20, 1, None))), "case", None),
        (
            Write::InsertVote(Box::new(vote(20, "anna", false))),
            "vote",
            None,
        ),
        (Write::InsertBody(Box::new(body(30))), "body", None),
        (Write::InsertSegment(segment(30, 0)), "segment", None),
        (unique(2, 40), "index", first),
        (shared(1), "index", first),
        (
            Write::InsertIdempotency(Box::new(idempotency(50, 2))),
            "idempotency",
            first,
        ),
        (Write::InsertNonce([5; 16]), "nonce", None),
    ] {
        // Other writes of the step do not hide which one it is.
        let step = writes(vec![unique(2, 41), write, Write::InsertNonce([6; 16])]);
        assert_eq!(
            store.commit(step),
            Err(LedgerError::Duplicate { what, message })
        );
    }
    assert_eq!(
        store
            .find_indexed(IndexKind::Original, &digest(41))
            .unwrap(),
        []
    );
    store
        .commit(writes(vec![Write::InsertNonce([6; 16])]))
        .unwrap();
}

pub(crate) fn a_step_that_fails_changes_nothing(world: &World) {
    let store = world.open();
    store.commit(submission(1)).unwrap();
    let head = store.head().unwrap();
    let mut step = submission(2);
    step.writes.push(Write::UpdateMessage(Box::new(MessageRow {
        version: 7,
        ..message(1)
    })));
    assert_eq!(store.commit(step), Err(LedgerError::Conflict));
    let mut step = submission(2);
    step.writes
        .push(Write::InsertDelivery(Box::new(delivery(40, 99))));
    assert_eq!(
        store.commit(step),
        Err(LedgerError::Conflict),
        "a message that is not there"
    );
    assert_eq!(store.head().unwrap(), head);
    assert_eq!(store.message(&message_id(2)).unwrap(), None);
    assert_eq!(store.deliveries_of(&message_id(2)).unwrap(), []);
    assert_eq!(store.leaves_of(&message_id(2)).unwrap(), []);
    let done = store.commit(submission(2)).unwrap();
    assert_eq!(done.first_seq, head.size);
}

pub(crate) fn segments_belong_to_their_body(world: &World) {
    let store = world.open();
    let none = writes(vec![Write::InsertSegment(segment(1, 0))]);
    assert_eq!(store.commit(none), Err(LedgerError::Conflict));
    store
        .commit(writes(vec![
            Write::InsertBody(Box::new(body(1))),
            Write::InsertSegment(segment(1, 0)),
        ]))
        .unwrap();
    for index in 1..40 {
        store
            .commit(writes(vec![Write::InsertSegment(segment(1, index))]))
            .unwrap();
    }
    assert_eq!(
        store.segment(&body_id(1), 39).unwrap(),
        Some(segment(1, 39))
    );
    // Deleted and begun anew under the same id, in one step.
    store
        .commit(writes(vec![
            Write::DeleteBody(body_id(1)),
            Write::InsertBody(Box::new(body(1))),
            Write::InsertSegment(segment(1, 7)),
        ]))
        .unwrap();
    assert_eq!(store.segment(&body_id(1), 0).unwrap(), None);
    assert_eq!(store.segment(&body_id(1), 7).unwrap(), Some(segment(1, 7)));

    store
        .commit(writes(vec![Write::InsertMessage(Box::new(message(1)))]))
        .unwrap();
    let mut bound = body(1);
    bound.version = 2;
    bound.state = BodyState::Bound;
    bound.message = Some(message_id(1));
    store
        .commit(writes(vec![Write::UpdateBody(Box::new(bound))]))
        .unwrap();
    assert_eq!(
        store.commit(writes(vec![Write::DeleteBody(body_id(1))])),
        Err(LedgerError::Conflict)
    );
    assert_eq!(
        store.commit(writes(vec![Write::DeleteBody(body_id(2))])),
        Err(LedgerError::Conflict)
    );

    store
        .commit(writes(vec![
            Write::InsertBody(Box::new(body(5))),
            Write::InsertBody(Box::new(body(4))),
        ]))
        .unwrap();
    assert_eq!(store.expired_bodies(at(1_003), 9).unwrap(), []);
    assert_eq!(
        store.expired_bodies(at(1_005), 9).unwrap(),
        [body_id(4), body_id(5)]
    );
    assert_eq!(store.expired_bodies(at(i64::MAX), 1).unwrap(), [body_id(4)]);
}

pub(crate) fn idempotency_keys_are_forgotten_when_told(world: &World) {
    let store = world.open();
    let mut later = idempotency(2, 1);
    later.expires_at = at(2_000);
    store
        .commit(writes(vec![
            Write::InsertMessage(Box::new(message(1))),
            Write::InsertIdempotency(Box::new(idempotency(1, 1))),
            Write::InsertIdempotency(Box::new(later.clone())),
        ]))
        .unwrap();
    store
        .commit(writes(vec![Write::ForgetIdempotency(at(1_500))]))
        .unwrap();
    assert_eq!(
        store
            .idempotency(&participant("cert-eu"), &digest(1))
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .idempotency(&participant("cert-eu"), &digest(2))
            .unwrap(),
        Some(later)
    );
    store
        .commit(writes(vec![Write::InsertIdempotency(Box::new(
            idempotency(1, 1),
        ))]))
        .unwrap();
}

pub(crate) fn documents_raise_the_epoch_that_guards_hold(world: &World) {
    let store = world.open();
    let begin = store.epoch().unwrap();
    let two = vec![
        Write::InsertDocument(Box::new(document(DocumentKind::Participant, "a", 1))),
        Write::InsertDocument(Box::new(document(DocumentKind::Participant, "b", 1))),
    ];
    let guarded = |epoch| Step {
        guards: vec![Guard::Epoch(epoch)],
        ..writes(two.clone())
    };
    assert_eq!(store.commit(guarded(begin)).unwrap().epoch, begin + 2);
    assert_eq!(store.epoch().unwrap(), begin + 2);
    assert_eq!(store.commit(guarded(begin)), Err(LedgerError::Conflict));
    assert_eq!(store.commit(guarded(begin + 1)), Err(LedgerError::Conflict));
    assert_eq!(store.epoch().unwrap(), begin + 2);
    assert_eq!(store.documents(DocumentKind::Participant).unwrap().len(), 2);
    drop(store);
    assert_eq!(world.open().epoch().unwrap(), begin + 2);
}
