SELECT sequence FROM naive_entry WHERE tenant_id = ?1 AND sequence > ?2 ORDER BY sequence;
