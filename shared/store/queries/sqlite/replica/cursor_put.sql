INSERT INTO replica_cursor (tenant_id, slice, cursor) VALUES (?1, ?2, ?3)
ON CONFLICT (tenant_id, slice) DO UPDATE SET cursor = excluded.cursor;
