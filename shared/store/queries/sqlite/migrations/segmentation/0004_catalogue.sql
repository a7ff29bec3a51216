-- System tables: segmenters are published for the whole installation.
CREATE TABLE segmenter (
    digest TEXT NOT NULL PRIMARY KEY,
    segmenter_id TEXT NOT NULL,
    version TEXT NOT NULL,
    platform TEXT NOT NULL,
    state INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    segmenter BLOB NOT NULL
);
CREATE UNIQUE INDEX segmenter_by_version ON segmenter (segmenter_id, version, platform);

CREATE TABLE segmenter_code (
    digest TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    code BLOB NOT NULL,
    PRIMARY KEY (digest, chunk)
);

-- Appended, never changed.
CREATE TABLE segmenter_event (
    number INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant_id BLOB,
    segmenter_id TEXT NOT NULL,
    segmentation_key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    event BLOB NOT NULL
);

-- What each process of the service says of the versions that it has to have; an empty digest: that it lives. When: by the
-- clock of SQLite.
CREATE TABLE replica (
    replica_id BLOB NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    beat_at INTEGER NOT NULL,
    problem TEXT NOT NULL,
    PRIMARY KEY (replica_id, digest)
) WITHOUT ROWID;
CREATE INDEX replica_by_time ON replica (beat_at);

CREATE TABLE revision (
    tenant_id BLOB NOT NULL,
    segmentation INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state INTEGER NOT NULL,
    segmenter_id TEXT NOT NULL,
    segmenter_version TEXT NOT NULL,
    digest TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    note TEXT NOT NULL,
    shadow BLOB NOT NULL,
    fit BLOB NOT NULL,
    PRIMARY KEY (tenant_id, segmentation, revision)
) WITHOUT ROWID;
-- Those that are not retired.
CREATE INDEX revision_in_use ON revision (digest, tenant_id, segmentation, revision, state) WHERE state <> 4;

-- What segmenters have learned from the accounts of a tenant. Written once.
CREATE TABLE segmenter_state (
    tenant_id BLOB NOT NULL,
    digest TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    learned BLOB NOT NULL,
    PRIMARY KEY (tenant_id, digest, chunk)
);

ALTER TABLE segmentation ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE segmentation ADD COLUMN fit BLOB NOT NULL DEFAULT x'';
INSERT INTO revision (tenant_id, segmentation, revision, state, segmenter_id, segmenter_version, digest, config, created_at, created_by, note, shadow, fit)
SELECT tenant_id, number, 1, 2, segmenter_id, '', plugin_digest, config, created_at, '', '', x'', x'' FROM segmentation;

-- By which version of each segmentation all accounts of the slice are judged: its number (2 bytes) and the version (4 bytes), big-endian.
ALTER TABLE slice_cursor ADD COLUMN judged BLOB NOT NULL DEFAULT x'';
