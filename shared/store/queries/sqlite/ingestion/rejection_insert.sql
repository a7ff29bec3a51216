INSERT INTO rejection (tenant_id, ordinal, key, field, reason, hint, record, received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (tenant_id, key) DO NOTHING;
