-- Where the events of an account are, for its timeline. A row lies with those of its week (weeks since 1970-01-01), so an insert costs the
-- same however long the history is. The feeds are followed from the beginning once more, which changes nothing else.
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
DELETE FROM place_cursor;
