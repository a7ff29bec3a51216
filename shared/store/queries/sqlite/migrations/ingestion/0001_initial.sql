-- Times are microseconds since 1970, ids are 16 big-endian bytes, texts compare by bytes.
CREATE TABLE tenant (
    tenant_id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    time_zone TEXT NOT NULL,
    base_currency TEXT NOT NULL,
    fixed_clock INTEGER,
    retention_days INTEGER NOT NULL,
    n_slices INTEGER NOT NULL,
    importing INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    rfm_tie_policy TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE access_key (
    key_id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    tenant_id BLOB,
    scopes INTEGER NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) WITHOUT ROWID;
CREATE INDEX access_key_of_tenant ON access_key (tenant_id, key_id);

CREATE TABLE account (
    tenant_id BLOB NOT NULL,
    external_id TEXT NOT NULL,
    uid BLOB NOT NULL,
    slice INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, external_id)
) WITHOUT ROWID;

-- What was stored, by identity. The key holds the hour of the record's own time and no finer time: keys of one period lie
-- together, so an insert costs the same however long the history is.
CREATE TABLE dedupe (
    tenant_id BLOB NOT NULL,
    hour INTEGER NOT NULL,
    hash BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (tenant_id, hour, hash)
) WITHOUT ROWID;

-- Facts, appended: a batch id is a UUIDv7. Ordinals of one slice are consecutive within a batch.
CREATE TABLE fact (
    tenant_id BLOB NOT NULL,
    batch_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    account_uid BLOB,
    kind INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    historical INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant_id, batch_id, ordinal)
) WITHOUT ROWID;
-- Events (kind 4) are read by feed number only and have no index by account.
CREATE INDEX fact_of_account ON fact (tenant_id, account_uid, occurred_at, known_at) WHERE kind <> 4;

-- Records whose account is not known yet, by identity.
CREATE TABLE held (
    tenant_id BLOB NOT NULL,
    hour INTEGER NOT NULL,
    hash BLOB NOT NULL,
    payload BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    historical INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant_id, hour, hash)
) WITHOUT ROWID;
CREATE UNIQUE INDEX held_by_ordinal ON held (tenant_id, ordinal);
CREATE INDEX held_of_account ON held (tenant_id, external_id, ordinal);

-- The key is of source, id or content, and reason: a record that comes again is listed once.
CREATE TABLE rejection (
    tenant_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    key BLOB NOT NULL,
    field TEXT NOT NULL,
    reason TEXT NOT NULL,
    hint TEXT NOT NULL,
    record BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, ordinal)
) WITHOUT ROWID;
CREATE UNIQUE INDEX rejection_by_key ON rejection (tenant_id, key);

-- The greatest ordinal that the lists of a tenant ever gave; a list never gives one twice.
CREATE TABLE intake_ordinal (
    tenant_id BLOB NOT NULL PRIMARY KEY,
    newest INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE source_count (
    tenant_id BLOB NOT NULL,
    source TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    conflict INTEGER NOT NULL,
    held INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source)
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

-- Answers to requests that changed something. Those of the installation have 16 zero bytes for a tenant.
CREATE TABLE request (
    tenant_id BLOB NOT NULL,
    method TEXT NOT NULL,
    request_id BLOB NOT NULL,
    parameters BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (tenant_id, method, request_id)
) WITHOUT ROWID;
CREATE INDEX request_by_time ON request (tenant_id, stored_at);
