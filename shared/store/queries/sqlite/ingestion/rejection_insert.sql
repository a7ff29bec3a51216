INSERT INTO rejection (tenant_id, ordinal, key, field, reason, hint, record, received_at, source)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (tenant_id, key) DO NOTHING;
