SELECT uid, external_id, name FROM account WHERE tenant_id = ?1 AND external_id = ?2;
