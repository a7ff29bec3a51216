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

-- How far segmentation's feed is followed.
CREATE TABLE moves_cursor (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    facts_sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

CREATE TABLE segment_move (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    uid BLOB NOT NULL,
    segmentation TEXT NOT NULL,
    segment TEXT NOT NULL,
    at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice, ordinal)
) WITHOUT ROWID;
