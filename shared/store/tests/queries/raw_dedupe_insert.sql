INSERT INTO dedupe (tenant_id, hour, hash, payload) VALUES (?1, ?2, ?3, ?4);
