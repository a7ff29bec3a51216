INSERT INTO held (tenant_id, hour, hash, payload, ordinal, external_id, source, kind, occurred_at, known_at, historical, received_at, record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);
