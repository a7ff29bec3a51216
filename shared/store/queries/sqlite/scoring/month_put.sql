INSERT INTO rollup_month (tenant_id, slice, uid, month, cells) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (tenant_id, slice, uid, month) DO UPDATE SET cells = excluded.cells;
