INSERT INTO rejection (tenant_id, ordinal, field, reason, hint, record, received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
