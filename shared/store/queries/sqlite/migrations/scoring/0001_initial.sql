-- The replica of ingestion's feed: how far it is, the accounts, and their facts other than events.
CREATE TABLE replica_cursor (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

CREATE TABLE replica_account (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    uid BLOB NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant_id, slice, uid)
) WITHOUT ROWID;

CREATE TABLE replica_fact (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    uid BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant_id, slice, uid, sequence, ordinal)
) WITHOUT ROWID;

-- Newest number of each feed; the row is changed last in every transaction that writes an entry.
CREATE TABLE feed_head (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

CREATE TABLE feed_entry (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (tenant_id, slice, sequence)
) WITHOUT ROWID;

CREATE TABLE slice_state (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    closed_on INTEGER,
    closes_at INTEGER,
    clock INTEGER,
    importing INTEGER NOT NULL,
    pending_history INTEGER,
    restated_from INTEGER,
    watermark INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

CREATE TABLE rollup_month (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    uid BLOB NOT NULL,
    month INTEGER NOT NULL,
    cells BLOB NOT NULL,
    PRIMARY KEY (tenant_id, slice, uid, month)
) WITHOUT ROWID;

CREATE TABLE model (
    tenant_id BLOB NOT NULL,
    closed_on INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    models BLOB NOT NULL,
    PRIMARY KEY (tenant_id, closed_on)
) WITHOUT ROWID;
