INSERT INTO account (tenant_id, external_id, uid, slice) VALUES (?1, ?2, ?3, ?4);
