DELETE FROM held WHERE tenant_id = ?1 AND hour = ?2 AND hash = ?3;
