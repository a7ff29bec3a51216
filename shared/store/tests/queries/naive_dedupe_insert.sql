INSERT INTO naive_fact (tenant_id, hour, hash, record) VALUES (?1, ?2, ?3, ?4);
