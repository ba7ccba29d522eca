-- Ids, hashes and blobs are BYTEA, times are microseconds UTC, numbers count
-- from where the rows say (`chancery_pipeline::rows`). Nothing that came from
-- a sender stands here in the clear.

-- === the node and its log ===

CREATE TABLE node (
    log_id       TEXT PRIMARY KEY NOT NULL,
    -- Raised by every writer that takes the log over: an older one finds its
    -- number gone and writes no more.
    fence        BIGINT NOT NULL,
    -- Raised by every transaction: after a lost answer it tells whether that
    -- transaction was done.
    commits      BIGINT NOT NULL,
    -- Raised after a commit that failed, so that what it left behind is overwritten.
    settled      BIGINT NOT NULL,
    -- Registration numbers below this one may have been given out.
    registration BIGINT NOT NULL
);

CREATE TABLE epoch (
    id    BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    value BIGINT NOT NULL
);
INSERT INTO epoch (id, value) VALUES (1, 0);

-- === messages and their ways ===

CREATE TABLE message (
    id           BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    version      BIGINT NOT NULL CHECK (version >= 1),
    state        TEXT NOT NULL,
    channel      TEXT NOT NULL,
    sender       TEXT,
    rank         SMALLINT NOT NULL CHECK (rank BETWEEN 0 AND 4),
    registration BIGINT NOT NULL,
    reference    BYTEA NOT NULL CHECK (octet_length(reference) = 16),
    received_at  BIGINT NOT NULL,
    document     BYTEA NOT NULL,
    sealed       BYTEA NOT NULL,
    mac          BYTEA NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX message_quarantined ON message (received_at, id) WHERE state = 'quarantined';

CREATE TABLE delivery (
    id         BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    version    BIGINT NOT NULL CHECK (version >= 1),
    message    BYTEA NOT NULL REFERENCES message (id),
    position   BIGINT NOT NULL,
    recipient  TEXT NOT NULL,
    role       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- 0 is the most urgent, so that the queues are read in one direction.
    urgency    SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at    BIGINT,
    due_at     BIGINT,
    attempts   BIGINT NOT NULL,
    document   BYTEA NOT NULL,
    mac        BYTEA NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX delivery_message ON delivery (message, position);
CREATE INDEX delivery_state ON delivery (state, created_at, id);
CREATE INDEX delivery_inbox ON delivery (recipient, channel, urgency, created_at, id)
    WHERE state IN ('queued', 'opened');
CREATE INDEX delivery_due ON delivery (channel, urgency, created_at, id, next_at)
    WHERE state IN ('queued', 'deferred');

CREATE TABLE body (
    id         BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    version    BIGINT NOT NULL CHECK (version >= 1),
    state      TEXT NOT NULL,
    owner      TEXT,
    message    BYTEA REFERENCES message (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    segments   BIGINT NOT NULL,
    document   BYTEA NOT NULL,
    mac        BYTEA NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX body_message ON body (message) WHERE message IS NOT NULL;
CREATE INDEX body_unbound ON body (expires_at, id) WHERE state IN ('open', 'complete');

CREATE TABLE segment (
    body     BYTEA NOT NULL REFERENCES body (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    sealed   BYTEA NOT NULL,
    PRIMARY KEY (body, position)
);

-- === under which key-encryption key ===

-- What holds a wrapped content key (a message or a body), and under which KEK.
CREATE TABLE wrapping (
    holder     BYTEA  PRIMARY KEY CHECK (length(holder) = 16),
    kind       TEXT   NOT NULL,
    kek        TEXT   NOT NULL,
    generation BIGINT NOT NULL
);
CREATE INDEX wrapping_kek ON wrapping (kek, generation, holder);

-- KEKs under which nothing is, nor ever will be again: they may be destroyed.
CREATE TABLE kek_closed (
    kek        TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (kek, generation)
);

-- The lock keeps a node that closes a key and one that uses it apart.
CREATE FUNCTION chancery_wrapping_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('chancery-kek'), hashtext(NEW.kek || '#' || NEW.generation));
    IF EXISTS (SELECT 1 FROM kek_closed AS c WHERE c.kek = NEW.kek AND c.generation = NEW.generation) THEN
        RAISE EXCEPTION 'kek_closed: nothing is put under this key any more';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wrapping_closed BEFORE INSERT ON wrapping
    FOR EACH ROW EXECUTE FUNCTION chancery_wrapping_open();
CREATE FUNCTION chancery_kek_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('chancery-kek'), hashtext(NEW.kek || '#' || NEW.generation));
    IF EXISTS (SELECT 1 FROM wrapping AS w WHERE w.kek = NEW.kek AND w.generation = NEW.generation) THEN
        RAISE EXCEPTION 'kek_closed: something is still under this key';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER kek_closed_empty BEFORE INSERT ON kek_closed
    FOR EACH ROW EXECUTE FUNCTION chancery_kek_empty();

-- === what officers judge ===

CREATE TABLE review_case (
    id        BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    version   BIGINT NOT NULL CHECK (version >= 1),
    delivery  BYTEA REFERENCES delivery (id),
    message   BYTEA NOT NULL REFERENCES message (id),
    state     TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    due_at    BIGINT NOT NULL,
    digest    BYTEA NOT NULL CHECK (octet_length(digest) = 32),
    document  BYTEA NOT NULL,
    mac       BYTEA NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX review_case_open ON review_case (due_at, opened_at, id) WHERE state = 'open';
CREATE INDEX review_case_delivery ON review_case (delivery, opened_at, id) WHERE delivery IS NOT NULL;
CREATE INDEX review_case_message ON review_case (message);

CREATE TABLE vote (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id  BYTEA NOT NULL REFERENCES review_case (id),
    officer  TEXT NOT NULL,
    at       BIGINT NOT NULL,
    approve  BOOLEAN NOT NULL,
    document BYTEA NOT NULL,
    UNIQUE (case_id, officer)
);

-- === what is found again, and what counts once ===

CREATE TABLE lookup (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      TEXT NOT NULL,
    digest    BYTEA NOT NULL CHECK (octet_length(digest) = 32),
    message   BYTEA NOT NULL REFERENCES message (id),
    is_unique BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX lookup_once ON lookup (kind, digest) WHERE is_unique;
CREATE UNIQUE INDEX lookup_message ON lookup (kind, digest, message);
CREATE INDEX lookup_of ON lookup (message);

CREATE TABLE idempotency (
    participant TEXT NOT NULL,
    key         BYTEA NOT NULL CHECK (octet_length(key) = 32),
    request     BYTEA NOT NULL CHECK (octet_length(request) = 32),
    message     BYTEA NOT NULL REFERENCES message (id),
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (key, participant)
);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_message ON idempotency (message);

CREATE TABLE nonce (
    value BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(value) = 16)
);

CREATE TABLE document (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    valid_from  BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    content     BYTEA NOT NULL,
    mac         BYTEA NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX document_kind ON document (kind, id);

-- === the audit log ===

CREATE TABLE audit_leaf (
    log_id    TEXT NOT NULL,
    seq       BIGINT NOT NULL CHECK (seq >= 0),
    leaf_hash BYTEA NOT NULL CHECK (octet_length(leaf_hash) = 32),
    message   BYTEA,
    delivery  BYTEA,
    record    BYTEA NOT NULL,
    -- Proofs and the start read hashes alone: this index has them all.
    PRIMARY KEY (log_id, seq) INCLUDE (leaf_hash)
);
CREATE INDEX audit_leaf_message ON audit_leaf (message, seq) WHERE message IS NOT NULL;
CREATE INDEX audit_leaf_delivery ON audit_leaf (delivery, seq) WHERE delivery IS NOT NULL;

CREATE TABLE audit_checkpoint (
    log_id TEXT NOT NULL,
    size   BIGINT NOT NULL,
    root   BYTEA NOT NULL CHECK (octet_length(root) = 32),
    note   TEXT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (log_id, size)
);

-- === what is never changed ===
-- Against mistakes and against a program that was taken over; in production
-- the program's role may not even try (`roles.sql`). Who owns the tables can
-- drop a trigger: against that stand the signed checkpoints.

CREATE FUNCTION chancery_audit_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One look for each statement: its rows have no gap among them and follow
    -- what was there. That none is there twice is the primary key's part.
    IF EXISTS (
        SELECT 1 FROM (
            SELECT log_id, min(seq) AS first, max(seq) AS last, count(*) AS number
            FROM fresh GROUP BY log_id
        ) AS added
        WHERE added.number <> added.last - added.first + 1
           OR (added.first > 0 AND NOT EXISTS (
               SELECT 1 FROM audit_leaf AS leaf
               WHERE leaf.log_id = added.log_id AND leaf.seq = added.first - 1))
    ) THEN
        RAISE EXCEPTION 'the audit log has no gaps and no second leaf in one place';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_leaf_next AFTER INSERT ON audit_leaf
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_audit_next();

CREATE FUNCTION chancery_never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed and never deleted', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_leaf_never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
CREATE TRIGGER audit_checkpoint_never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
CREATE TRIGGER document_never BEFORE UPDATE OR DELETE OR TRUNCATE ON document
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
CREATE TRIGGER vote_never BEFORE UPDATE OR DELETE OR TRUNCATE ON vote
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
CREATE TRIGGER nonce_never BEFORE UPDATE OR DELETE OR TRUNCATE ON nonce
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
CREATE TRIGGER kek_closed_never BEFORE UPDATE OR DELETE OR TRUNCATE ON kek_closed
    FOR EACH STATEMENT EXECUTE FUNCTION chancery_never();
