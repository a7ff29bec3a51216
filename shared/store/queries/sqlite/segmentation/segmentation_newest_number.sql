SELECT COALESCE(MAX(number), 0) FROM segmentation WHERE tenant_id = ?1;
