INSERT INTO dedupe (tenant_id, hour, hash, payload) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant_id, hour, hash) DO NOTHING;
