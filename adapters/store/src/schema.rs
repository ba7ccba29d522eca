//! The tables, as both backends have them (`migrations/`).
#![allow(unreachable_pub, reason = "`table!` writes `pub` items")]

diesel::table! {
    node (log_id) {
        log_id -> Text,
        fence -> BigInt,
        commits -> BigInt,
        settled -> BigInt,
        registration -> BigInt,
    }
}

diesel::table! {
    epoch (id) {
        id -> BigInt,
        value -> BigInt,
    }
}

diesel::table! {
    message (id) {
        id -> Binary,
        version -> BigInt,
        state -> Text,
        channel -> Text,
        sender -> Nullable<Text>,
        rank -> SmallInt,
        registration -> BigInt,
        reference -> Binary,
        received_at -> BigInt,
        document -> Binary,
        sealed -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    delivery (id) {
        id -> Binary,
        version -> BigInt,
        message -> Binary,
        position -> BigInt,
        recipient -> Text,
        role -> Text,
        channel -> Text,
        state -> Text,
        urgency -> SmallInt,
        created_at -> BigInt,
        next_at -> Nullable<BigInt>,
        due_at -> Nullable<BigInt>,
        attempts -> BigInt,
        document -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    body (id) {
        id -> Binary,
        version -> BigInt,
        state -> Text,
        owner -> Nullable<Text>,
        message -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
        size -> BigInt,
        segments -> BigInt,
        document -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    segment (body, position) {
        body -> Binary,
        position -> BigInt,
        sealed -> Binary,
    }
}

diesel::table! {
    wrapping (holder) {
        holder -> Binary,
        kind -> Text,
        kek -> Text,
        generation -> BigInt,
    }
}

diesel::table! {
    kek_closed (kek, generation) {
        kek -> Text,
        generation -> BigInt,
    }
}

diesel::table! {
    review_case (id) {
        id -> Binary,
        version -> BigInt,
        delivery -> Nullable<Binary>,
        message -> Binary,
        state -> Text,
        opened_at -> BigInt,
        due_at -> BigInt,
        digest -> Binary,
        document -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    vote (id) {
        id -> BigInt,
        case_id -> Binary,
        officer -> Text,
        at -> BigInt,
        approve -> Bool,
        document -> Binary,
    }
}

diesel::table! {
    lookup (id) {
        id -> BigInt,
        kind -> Text,
        digest -> Binary,
        message -> Binary,
        is_unique -> Bool,
    }
}

diesel::table! {
    idempotency (participant, key) {
        participant -> Text,
        key -> Binary,
        request -> Binary,
        message -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    nonce (value) {
        value -> Binary,
    }
}

diesel::table! {
    document (id) {
        id -> BigInt,
        kind -> Text,
        name -> Text,
        valid_from -> BigInt,
        recorded_at -> BigInt,
        content -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    audit_leaf (log_id, seq) {
        log_id -> Text,
        seq -> BigInt,
        leaf_hash -> Binary,
        message -> Nullable<Binary>,
        delivery -> Nullable<Binary>,
        record -> Binary,
    }
}

diesel::table! {
    audit_checkpoint (log_id, size) {
        log_id -> Text,
        size -> BigInt,
        root -> Binary,
        note -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    /// Kept by `diesel_migrations`.
    __diesel_schema_migrations (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}
