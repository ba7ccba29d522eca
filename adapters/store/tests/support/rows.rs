//! Rows and events, numbered.

use chancery_audit::{Actor, Event, EventKind};
use chancery_message::{
    BodyId, CaseId, Channel, DeliveryId, MessageId, OfficerId, OpaqueRef, ParticipantId,
    Precedence, RecipientRole, Timestamp,
};
use chancery_pipeline::ports::{Step, Write};
use chancery_pipeline::rows::{
    BodyRow, BodyState, CaseRow, CaseState, DeliveryRow, DeliveryState, DocumentKind, DocumentRow,
    IdempotencyRow, MessageRow, MessageState, SegmentRow, VoteRow,
};

/// Sixteen bytes that sort by `n`.
pub fn bytes(n: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes
}

/// A digest that tells `n`.
pub fn digest(n: u64) -> [u8; 32] {
    let mut digest = [7; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    digest
}

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub fn participant(name: &str) -> ParticipantId {
    name.parse().unwrap()
}

pub fn officer(name: &str) -> OfficerId {
    name.parse().unwrap()
}

pub fn message_id(n: u64) -> MessageId {
    MessageId::from_bytes(bytes(n))
}

pub fn delivery_id(n: u64) -> DeliveryId {
    DeliveryId::from_bytes(bytes(n))
}

pub fn body_id(n: u64) -> BodyId {
    BodyId::from_bytes(bytes(n))
}

pub fn case_id(n: u64) -> CaseId {
    CaseId::from_bytes(bytes(n))
}

pub fn message(n: u64) -> MessageRow {
    MessageRow {
        id: message_id(n),
        version: 1,
        state: MessageState::Sealed,
        channel: Channel::Rest,
        sender: Some(participant("cert-eu")),
        rank: 2,
        registration: n,
        reference: OpaqueRef::from_bytes(bytes(n)),
        received_at: at(1_000_000 + n.cast_signed()),
        document: format!("document {n}").into_bytes(),
        sealed: vec![0xA5; 600],
        mac: digest(n),
    }
}

pub fn delivery(n: u64, message: u64) -> DeliveryRow {
    DeliveryRow {
        id: delivery_id(n),
        version: 1,
        message: message_id(message),
        position: 0,
        recipient: participant("europol-ec3"),
        role: RecipientRole::To,
        channel: Channel::Siena,
        state: DeliveryState::Queued,
        precedence: Precedence::Routine,
        created_at: at(1_000_000 + n.cast_signed()),
        next_at: None,
        due_at: Some(at(9_000_000)),
        attempts: 0,
        document: vec![1, 2, 3],
        mac: digest(n),
    }
}

pub fn body(n: u64) -> BodyRow {
    BodyRow {
        id: body_id(n),
        version: 1,
        state: BodyState::Open,
        owner: Some(participant("cert-eu")),
        message: None,
        created_at: at(5),
        expires_at: at(1_000 + n.cast_signed()),
        size: 0,
        segments: 0,
        document: vec![9],
        mac: digest(n),
    }
}

pub fn segment(n: u64, index: u32) -> SegmentRow {
    SegmentRow {
        body: body_id(n),
        index,
        sealed: vec![u8::try_from(index % 251).unwrap(); 64 * 1024 + 16],
    }
}

pub fn case(n: u64, message: u64, delivery: Option<u64>) -> CaseRow {
    CaseRow {
        id: case_id(n),
        version: 1,
        delivery: delivery.map(delivery_id),
        message: message_id(message),
        state: CaseState::Open,
        opened_at: at(100 + n.cast_signed()),
        due_at: at(1_000),
        digest: digest(n),
        document: vec![4],
        mac: digest(n),
    }
}

pub fn vote(case: u64, name: &str, approve: bool) -> VoteRow {
    VoteRow {
        case: case_id(case),
        officer: officer(name),
        at: at(7),
        approve,
        document: vec![1],
    }
}

pub fn idempotency(n: u64, message: u64) -> IdempotencyRow {
    IdempotencyRow {
        participant: participant("cert-eu"),
        key: digest(n),
        request: digest(n + 1),
        message: message_id(message),
        expires_at: at(1_000),
    }
}

pub fn document(kind: DocumentKind, key: &str, n: u64) -> DocumentRow {
    DocumentRow {
        kind,
        key: key.into(),
        valid_from: at(1),
        recorded_at: at(n.cast_signed()),
        document: format!("version {n}").into_bytes(),
        mac: digest(n),
    }
}

pub fn event(n: u64) -> Event {
    Event::new(EventKind::MessageSealed, at(n.cast_signed()), Actor::System).message(message_id(n))
}

/// A step without events.
pub fn writes(writes: Vec<Write>) -> Step {
    Step {
        guards: Vec::new(),
        writes,
        events: Vec::new(),
    }
}

/// What a submission writes: one message, two deliveries, an index, a key, six events.
pub fn submission(n: u64) -> Step {
    let second = DeliveryRow {
        position: 1,
        recipient: participant("intcen"),
        ..delivery(2 * n + 1, n)
    };
    Step {
        guards: Vec::new(),
        writes: vec![
            Write::InsertMessage(Box::new(message(n))),
            Write::InsertDelivery(Box::new(delivery(2 * n, n))),
            Write::InsertDelivery(Box::new(second)),
            Write::InsertIndex {
                kind: chancery_pipeline::rows::IndexKind::Original,
                digest: digest(n),
                message: message_id(n),
                unique: true,
            },
            Write::InsertIdempotency(Box::new(idempotency(n, n))),
        ],
        events: [
            EventKind::MessageReceived,
            EventKind::MessageParsed,
            EventKind::OriginatorAuthenticated,
            EventKind::LabelAssigned,
            EventKind::MessageSealed,
            EventKind::ReleasePermitted,
        ]
        .map(|kind| {
            Event::new(kind, at(n.cast_signed()), Actor::System)
                .message(message_id(n))
                .delivery(delivery_id(2 * n))
        })
        .to_vec(),
    }
}
