SELECT COUNT(*) FROM naive_fact WHERE tenant_id = ?1 AND hour = ?2 AND hash = ?3;
