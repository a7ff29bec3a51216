INSERT INTO naive_entry (tenant_id, sequence) VALUES (?1, ?2);
