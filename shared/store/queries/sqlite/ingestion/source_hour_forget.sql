DELETE FROM source_hour WHERE tenant_id = ?1 AND source = ?2 AND hour < ?3;
