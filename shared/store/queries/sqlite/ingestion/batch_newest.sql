SELECT batch_id FROM fact WHERE tenant_id = ?1 ORDER BY batch_id DESC LIMIT 1;
