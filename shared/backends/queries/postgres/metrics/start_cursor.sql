INSERT INTO cursor AS stored (tenant_id, slice, position) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, slice) DO UPDATE SET position = excluded.position WHERE stored.position = 0
