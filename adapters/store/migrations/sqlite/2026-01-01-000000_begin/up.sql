-- Ids, hashes and blobs are BLOB, times are microseconds UTC, numbers count
-- from where the rows say (`chancery_pipeline::rows`). Nothing that came from
-- a sender stands here in the clear.

-- === the node and its log ===

CREATE TABLE node (
    log_id       TEXT    PRIMARY KEY NOT NULL,
    -- Raised by every writer that takes the log over: an older one finds its
    -- number gone and writes no more.
    fence        INTEGER NOT NULL,
    -- Raised by every transaction: after a lost answer it tells whether that
    -- transaction was done.
    commits      INTEGER NOT NULL,
    -- Raised after a commit that failed, so that what it left behind is overwritten.
    settled      INTEGER NOT NULL,
    -- Registration numbers below this one may have been given out.
    registration INTEGER NOT NULL
) STRICT;

CREATE TABLE epoch (
    id    INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO epoch (id, value) VALUES (1, 0);

-- === messages and their ways ===

CREATE TABLE message (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version      INTEGER NOT NULL CHECK (version >= 1),
    state        TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    sender       TEXT,
    rank         INTEGER NOT NULL CHECK (rank BETWEEN 0 AND 4),
    registration INTEGER NOT NULL,
    reference    BLOB    NOT NULL CHECK (length(reference) = 16),
    received_at  INTEGER NOT NULL,
    document     BLOB    NOT NULL,
    sealed       BLOB    NOT NULL,
    mac          BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
CREATE INDEX message_quarantined ON message (received_at, id) WHERE state = 'quarantined';

CREATE TABLE delivery (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version    INTEGER NOT NULL CHECK (version >= 1),
    message    BLOB    NOT NULL REFERENCES message (id),
    position   INTEGER NOT NULL,
    recipient  TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    -- 0 is the most urgent, so that the queues are read in one direction.
    urgency    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_at    INTEGER,
    due_at     INTEGER,
    attempts   INTEGER NOT NULL,
    document   BLOB    NOT NULL,
    mac        BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
CREATE INDEX delivery_message ON delivery (message, position);
CREATE INDEX delivery_state ON delivery (state, created_at, id);
CREATE INDEX delivery_inbox ON delivery (recipient, channel, urgency, created_at, id)
    WHERE state IN ('queued', 'opened');
CREATE INDEX delivery_due ON delivery (channel, urgency, created_at, id, next_at)
    WHERE state IN ('queued', 'deferred');

CREATE TABLE body (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version    INTEGER NOT NULL CHECK (version >= 1),
    state      TEXT    NOT NULL,
    owner      TEXT,
    message    BLOB REFERENCES message (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    segments   INTEGER NOT NULL,
    document   BLOB    NOT NULL,
    mac        BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
CREATE INDEX body_message ON body (message) WHERE message IS NOT NULL;
CREATE INDEX body_unbound ON body (expires_at, id) WHERE state IN ('open', 'complete');

CREATE TABLE segment (
    body     BLOB    NOT NULL REFERENCES body (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sealed   BLOB    NOT NULL,
    PRIMARY KEY (body, position)
) STRICT;

-- === under which key-encryption key ===

-- What holds a wrapped content key (a message or a body), and under which KEK.
CREATE TABLE wrapping (
    holder     BLOB    NOT NULL PRIMARY KEY CHECK (length(holder) = 16),
    kind       TEXT    NOT NULL,
    kek        TEXT    NOT NULL,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX wrapping_kek ON wrapping (kek, generation, holder);

-- KEKs under which nothing is, nor ever will be again: they may be destroyed.
CREATE TABLE kek_closed (
    kek        TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (kek, generation)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER wrapping_closed BEFORE INSERT ON wrapping
WHEN EXISTS (SELECT 1 FROM kek_closed AS c WHERE c.kek = NEW.kek AND c.generation = NEW.generation)
BEGIN SELECT RAISE(ABORT, 'kek_closed: nothing is put under this key any more'); END;
CREATE TRIGGER kek_closed_empty BEFORE INSERT ON kek_closed
WHEN EXISTS (SELECT 1 FROM wrapping AS w WHERE w.kek = NEW.kek AND w.generation = NEW.generation)
BEGIN SELECT RAISE(ABORT, 'kek_closed: something is still under this key'); END;

-- === what officers judge ===

CREATE TABLE review_case (
    id        BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version   INTEGER NOT NULL CHECK (version >= 1),
    delivery  BLOB REFERENCES delivery (id),
    message   BLOB    NOT NULL REFERENCES message (id),
    state     TEXT    NOT NULL,
    opened_at INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    document  BLOB    NOT NULL,
    mac       BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
CREATE INDEX review_case_open ON review_case (due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX review_case_delivery ON review_case (delivery, opened_at, id) WHERE delivery IS NOT NULL;
CREATE INDEX review_case_message ON review_case (message);

CREATE TABLE vote (
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    case_id  BLOB    NOT NULL REFERENCES review_case (id),
    officer  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    approve  INTEGER NOT NULL CHECK (approve IN (0, 1)),
    document BLOB    NOT NULL,
    UNIQUE (case_id, officer)
) STRICT;

-- === what is found again, and what counts once ===

CREATE TABLE lookup (
    id        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind      TEXT    NOT NULL,
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    message   BLOB    NOT NULL REFERENCES message (id),
    is_unique INTEGER NOT NULL CHECK (is_unique IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX lookup_once ON lookup (kind, digest) WHERE is_unique = 1;
CREATE UNIQUE INDEX lookup_message ON lookup (kind, digest, message);
CREATE INDEX lookup_of ON lookup (message);

CREATE TABLE idempotency (
    participant TEXT    NOT NULL,
    key         BLOB    NOT NULL CHECK (length(key) = 32),
    request     BLOB    NOT NULL CHECK (length(request) = 32),
    message     BLOB    NOT NULL REFERENCES message (id),
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (key, participant)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_message ON idempotency (message);

CREATE TABLE nonce (
    value BLOB NOT NULL PRIMARY KEY CHECK (length(value) = 16)
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    valid_from  INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    content     BLOB    NOT NULL,
    mac         BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
CREATE INDEX document_kind ON document (kind, id);

-- === the audit log ===

CREATE TABLE audit_leaf (
    log_id    TEXT    NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq >= 0),
    leaf_hash BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    message   BLOB,
    delivery  BLOB,
    record    BLOB    NOT NULL
) STRICT;
-- Proofs and the start read hashes alone: this index has them all. That
-- (log_id, seq) is unique follows from `audit_leaf_next` below.
CREATE UNIQUE INDEX audit_leaf_hash ON audit_leaf (log_id, seq, leaf_hash);
CREATE INDEX audit_leaf_message ON audit_leaf (message, seq) WHERE message IS NOT NULL;
CREATE INDEX audit_leaf_delivery ON audit_leaf (delivery, seq) WHERE delivery IS NOT NULL;

CREATE TABLE audit_checkpoint (
    log_id TEXT    NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    note   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (log_id, size)
) STRICT, WITHOUT ROWID;

-- === what is never changed ===
-- Against mistakes and against a program that was taken over. Who owns the
-- file can drop a trigger: against that stand the signed checkpoints.

CREATE TRIGGER audit_leaf_next BEFORE INSERT ON audit_leaf
WHEN NEW.seq <> (SELECT coalesce(max(seq) + 1, 0) FROM audit_leaf WHERE log_id = NEW.log_id)
BEGIN SELECT RAISE(ABORT, 'the audit log has no gaps and no second leaf in one place'); END;
CREATE TRIGGER audit_leaf_update BEFORE UPDATE ON audit_leaf
BEGIN SELECT RAISE(ABORT, 'audit leaves are never changed'); END;
CREATE TRIGGER audit_leaf_delete BEFORE DELETE ON audit_leaf
BEGIN SELECT RAISE(ABORT, 'audit leaves are never deleted'); END;
CREATE TRIGGER audit_checkpoint_update BEFORE UPDATE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER audit_checkpoint_delete BEFORE DELETE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;
CREATE TRIGGER document_update BEFORE UPDATE ON document
BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END;
CREATE TRIGGER document_delete BEFORE DELETE ON document
BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END;
CREATE TRIGGER vote_update BEFORE UPDATE ON vote
BEGIN SELECT RAISE(ABORT, 'votes are never changed'); END;
CREATE TRIGGER vote_delete BEFORE DELETE ON vote
BEGIN SELECT RAISE(ABORT, 'votes are never deleted'); END;
CREATE TRIGGER nonce_update BEFORE UPDATE ON nonce
BEGIN SELECT RAISE(ABORT, 'used nonces are never changed'); END;
CREATE TRIGGER nonce_delete BEFORE DELETE ON nonce
BEGIN SELECT RAISE(ABORT, 'used nonces are never deleted'); END;
CREATE TRIGGER wrapping_update BEFORE UPDATE ON wrapping
BEGIN SELECT RAISE(ABORT, 'a wrapping is replaced, never changed'); END;
CREATE TRIGGER kek_closed_update BEFORE UPDATE ON kek_closed
BEGIN SELECT RAISE(ABORT, 'closed keys stay closed'); END;
CREATE TRIGGER kek_closed_delete BEFORE DELETE ON kek_closed
BEGIN SELECT RAISE(ABORT, 'closed keys stay closed'); END;
