INSERT INTO source_hour (tenant_id, source, hour, records) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant_id, source, hour) DO UPDATE SET records = records + excluded.records;
