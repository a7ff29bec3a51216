SELECT uid, external_id, name FROM replica_account WHERE tenant_id = ?1 AND slice = ?2 ORDER BY uid;
