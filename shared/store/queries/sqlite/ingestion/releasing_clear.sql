DELETE FROM releasing WHERE tenant_id = ?1;
