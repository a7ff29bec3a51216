SELECT 1 FROM event_type WHERE tenant_id = ?1 AND type = ?2;
