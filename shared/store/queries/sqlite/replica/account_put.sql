INSERT INTO replica_account (tenant_id, slice, uid, external_id, name) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (tenant_id, slice, uid) DO UPDATE SET external_id = excluded.external_id, name = excluded.name;
