SELECT uid, slice FROM account WHERE tenant_id = ?1 AND external_id = ?2;
