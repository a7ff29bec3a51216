INSERT INTO releasing (tenant_id, external_id, historical) VALUES (?1, ?2, ?3);
