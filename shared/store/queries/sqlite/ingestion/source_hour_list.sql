SELECT hour, records FROM source_hour WHERE tenant_id = ?1 AND source = ?2 ORDER BY hour;
