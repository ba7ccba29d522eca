//! What waits for whom, in which order.

use chancery_message::{Channel, Precedence};
use chancery_pipeline::ports::{Ledger as _, Write};
use chancery_pipeline::rows::{CaseState, DeliveryRow, DeliveryState, MessageState};

use crate::support::rows::*;
use crate::support::world::World;

fn ids(rows: &[DeliveryRow]) -> Vec<u64> {
    rows.iter()
        .map(|row| u64::from_be_bytes(row.id.as_bytes()[8..].try_into().unwrap()))
        .collect()
}

fn insert(rows: Vec<DeliveryRow>) -> chancery_pipeline::ports::Step {
    let mut all = vec![Write::InsertMessage(Box::new(message(1)))];
    all.extend(
        rows.into_iter()
            .map(|row| Write::InsertDelivery(Box::new(row))),
    );
    writes(all)
}

pub(crate) fn inboxes_are_read_by_urgency_and_age_page_by_page(world: &World) {
    let store = world.open();
    let mut rows = Vec::new();
    for n in 0..60_u64 {
        let mut row = delivery(n, 1);
        row.precedence = Precedence::ALL[usize::try_from(n * 7 % 6).unwrap()];
        // Many of the same age.
        row.created_at = at((n / 13).cast_signed());
        row.state = match n % 10 {
            0 => DeliveryState::Completed,
            1 => DeliveryState::Held,
            2 => DeliveryState::Opened,
            _ => DeliveryState::Queued,
        };
        if n % 11 == 3 {
            row.recipient = participant("intcen");
        }
        if n % 11 == 4 {
            row.channel = Channel::Rest;
        }
        rows.push(row);
    }
    let mut want: Vec<&DeliveryRow> = rows
        .iter()
        .filter(|row| matches!(row.state, DeliveryState::Queued | DeliveryState::Opened))
        .filter(|row| row.recipient == participant("europol-ec3") && row.channel == Channel::Siena)
        .collect();
    want.sort_by_key(|row| (std::cmp::Reverse(row.precedence), row.created_at, row.id));
    let want: Vec<DeliveryRow> = want.into_iter().cloned().collect();
    assert!(want.len() > 20);
    store.commit(insert(rows)).unwrap();

    let inbox = |after: Option<&DeliveryRow>, limit| {
        store
            .inbox(
                &participant("europol-ec3"),
                Channel::Siena,
                after.map(|row| &row.id),
                limit,
            )
            .unwrap()
    };
    assert_eq!(inbox(None, 1000), want);
    let mut paged = Vec::new();
    loop {
        let page = inbox(paged.last(), 7);
        assert!(page.len() <= 7);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, want);

    // A place stays a place when its delivery has left the inbox.
    let mut done = want[4].clone();
    done.version = 2;
    done.state = DeliveryState::Completed;
    store
        .commit(writes(vec![Write::UpdateDelivery(Box::new(done))]))
        .unwrap();
    assert_eq!(inbox(Some(&want[4]), 3), want[5..8]);
    // Another's delivery is no place.
    let other = store
        .inbox(&participant("intcen"), Channel::Siena, Some(&want[0].id), 9)
        .unwrap();
    assert_eq!(other, []);
}

pub(crate) fn what_is_due_is_what_is_to_be_sent_now(world: &World) {
    let store = world.open();
    let mail = |n: u64, state, next: Option<i64>, precedence| DeliveryRow {
        channel: Channel::Mail,
        state,
        next_at: next.map(at),
        precedence,
        created_at: at(100 - n.cast_signed()),
        ..delivery(n, 1)
    };
    store
        .commit(insert(vec![
            mail(1, DeliveryState::Queued, Some(10), Precedence::Routine),
            mail(2, DeliveryState::Deferred, Some(20), Precedence::Routine),
            mail(3, DeliveryState::Deferred, Some(31), Precedence::Flash),
            mail(4, DeliveryState::Queued, Some(30), Precedence::Override),
            mail(5, DeliveryState::Opened, Some(1), Precedence::Override),
            mail(6, DeliveryState::Queued, None, Precedence::Deferred),
            DeliveryRow {
                channel: Channel::Rest,
                ..mail(7, DeliveryState::Queued, Some(1), Precedence::Flash)
            },
        ]))
        .unwrap();
    let due = |now, limit| ids(&store.due(Channel::Mail, at(now), limit).unwrap());
    assert_eq!(due(30, 10), [4, 2, 1, 6]);
    assert_eq!(due(30, 2), [4, 2]);
    assert_eq!(due(31, 10), [4, 3, 2, 1, 6]);
    assert_eq!(due(9, 10), [6], "without a time it is due at once");
}

pub(crate) fn states_are_listed_oldest_first(world: &World) {
    let store = world.open();
    let with = |n: u64, state, created: i64| DeliveryRow {
        state,
        created_at: at(created),
        ..delivery(n, 1)
    };
    store
        .commit(insert(vec![
            with(1, DeliveryState::Opened, 50),
            with(2, DeliveryState::Opened, 40),
            with(3, DeliveryState::Queued, 10),
            with(4, DeliveryState::Opened, 40),
        ]))
        .unwrap();
    assert_eq!(
        ids(&store.in_state(DeliveryState::Opened, 9).unwrap()),
        [2, 4, 1]
    );
    assert_eq!(ids(&store.in_state(DeliveryState::Opened, 1).unwrap()), [2]);
    assert_eq!(
        ids(&store.in_state(DeliveryState::Uncertain, 9).unwrap()),
        [0; 0]
    );

    for (n, received) in [(10, 9), (11, 3), (12, 5)] {
        let mut row = message(n);
        row.state = MessageState::Quarantined;
        row.received_at = at(received);
        store
            .commit(writes(vec![Write::InsertMessage(Box::new(row))]))
            .unwrap();
    }
    let found: Vec<_> = store
        .quarantined(2)
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(found, [message_id(11), message_id(12)]);
}

pub(crate) fn cases_are_listed_by_what_is_most_urgent(world: &World) {
    let store = world.open();
    let with = |n: u64, state, opened: i64, due: i64| {
        let mut row = case(n, 1, Some(1));
        row.state = state;
        row.opened_at = at(opened);
        row.due_at = at(due);
        Write::InsertCase(Box::new(row))
    };
    store
        .commit(insert(vec![delivery(1, 1), delivery(2, 1)]))
        .unwrap();
    store
        .commit(writes(vec![
            with(1, CaseState::Open, 10, 500),
            with(2, CaseState::Open, 20, 400),
            with(3, CaseState::Refused, 30, 1),
            with(4, CaseState::Open, 15, 400),
        ]))
        .unwrap();
    let open: Vec<_> = store
        .open_cases(9)
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(open, [case_id(4), case_id(2), case_id(1)]);
    assert_eq!(
        store.case_of(&delivery_id(1)).unwrap().unwrap().id,
        case_id(3)
    );
    assert_eq!(store.case_of(&delivery_id(2)).unwrap(), None);
}
