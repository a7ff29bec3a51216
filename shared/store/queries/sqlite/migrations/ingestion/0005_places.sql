-- How far the feed of a slice has been followed for the places below.
CREATE TABLE place_cursor (
    tenant_id BLOB NOT NULL,
    slice INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, slice)
) WITHOUT ROWID;

-- Where users, and what other systems know, belong: the first and the last time on a day (days since 1970 in UTC) that a key was
-- said to be in an account, or to have left it. So a user costs no more rows than they have days.
CREATE TABLE place (
    tenant_id BLOB NOT NULL,
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    is_left INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key, day, external_id, is_left)
) WITHOUT ROWID;
