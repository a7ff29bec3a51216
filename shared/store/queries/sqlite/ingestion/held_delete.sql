DELETE FROM held WHERE tenant_id = ?1 AND external_id = ?2;
