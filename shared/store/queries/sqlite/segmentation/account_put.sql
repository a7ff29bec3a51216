INSERT INTO account (tenant_id, uid, external_id, name) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant_id, uid) DO UPDATE SET external_id = excluded.external_id, name = excluded.name;
