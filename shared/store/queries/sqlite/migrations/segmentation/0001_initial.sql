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

CREATE TABLE segmentation (
    tenant_id BLOB NOT NULL,
    segmentation_key TEXT NOT NULL,
    number INTEGER NOT NULL,
    segmenter_id TEXT NOT NULL,
    config TEXT NOT NULL,
    version INTEGER NOT NULL,
    plugin_digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_on INTEGER,
    PRIMARY KEY (tenant_id, segmentation_key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX segmentation_by_number ON segmentation (tenant_id, number);

-- How far scoring's feed is followed.
CREATE TABLE slice_cursor (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    facts_sequence INTEGER NOT NULL,
    closed_on INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

CREATE TABLE account (
    tenant_id BLOB NOT NULL,
    uid BLOB NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant_id, uid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX account_by_external_id ON account (tenant_id, external_id);

CREATE TABLE membership (
    tenant_id BLOB NOT NULL,
    uid BLOB NOT NULL,
    segmentation INTEGER NOT NULL,
    slice INTEGER NOT NULL,
    state INTEGER NOT NULL,
    segment TEXT NOT NULL,
    entered_at INTEGER NOT NULL,
    close_state INTEGER NOT NULL,
    close_segment TEXT NOT NULL,
    transition BLOB NOT NULL,
    PRIMARY KEY (tenant_id, uid, segmentation)
) WITHOUT ROWID;
CREATE INDEX membership_of_slice ON membership (tenant_id, slice, segmentation, uid);

-- Appended, never changed.
CREATE TABLE transition (
    tenant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    segmentation INTEGER NOT NULL,
    uid BLOB NOT NULL,
    at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    to_state INTEGER NOT NULL,
    to_segment TEXT NOT NULL,
    value_minor INTEGER NOT NULL,
    downward INTEGER NOT NULL,
    is_move INTEGER NOT NULL,
    is_correction INTEGER NOT NULL,
    transition BLOB NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
-- Counts at a moment are read from this index alone.
CREATE INDEX transition_of_membership ON transition (tenant_id, segmentation, uid, at, id, known_at, to_state, to_segment);
CREATE INDEX transition_of_account ON transition (tenant_id, uid, at, id);
CREATE INDEX transition_by_time ON transition (tenant_id, at, id);

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
