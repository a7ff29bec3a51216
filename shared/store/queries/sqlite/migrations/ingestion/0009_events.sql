-- Where the events of an account are, for its timeline. A row lies with those of its week (weeks since 1970-01-01), so an insert costs the
-- same however long the history is.
CREATE TABLE account_event (
    tenant_id BLOB NOT NULL,
    week INTEGER NOT NULL,
    account_uid BLOB NOT NULL,
    occurred_at INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, week, account_uid, occurred_at, batch_id, ordinal)
) WITHOUT ROWID;
-- How many events of each type are stored, and from when to when they happened. All types beyond the first 10,000 are the type ''.
CREATE TABLE event_type (
    tenant_id BLOB NOT NULL,
    type TEXT NOT NULL,
    events INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, type)
) WITHOUT ROWID;
-- The feeds are followed from the beginning once more.
DELETE FROM place_cursor;
