SELECT COALESCE(MAX(ordinal), 0) FROM segment_move WHERE tenant_id = ?1 AND slice = ?2;
