-- Accounts that are known and for which records may still wait, because one transaction did not take all of them.
CREATE TABLE releasing (
    tenant_id BLOB NOT NULL,
    external_id TEXT NOT NULL,
    -- True: imported history has made it known.
    historical INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, external_id)
) WITHOUT ROWID;
