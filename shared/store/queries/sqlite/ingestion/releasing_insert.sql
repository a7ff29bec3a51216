INSERT INTO releasing (tenant_id, external_id, historical) VALUES (?1, ?2, ?3)
ON CONFLICT (tenant_id, external_id) DO NOTHING;
