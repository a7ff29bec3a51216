SELECT external_id, historical FROM releasing WHERE tenant_id = ?1 ORDER BY external_id;
