-- How far each source has come, and how many records came in each hour.
ALTER TABLE source_count ADD COLUMN watermark INTEGER;

CREATE TABLE source_hour (
    tenant_id BLOB NOT NULL,
    source TEXT NOT NULL,
    hour INTEGER NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source, hour)
) WITHOUT ROWID;
