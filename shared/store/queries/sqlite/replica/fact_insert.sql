INSERT INTO replica_fact (tenant_id, slice, uid, sequence, ordinal, kind, occurred_at, known_at, record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
