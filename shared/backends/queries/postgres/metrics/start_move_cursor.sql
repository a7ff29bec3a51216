INSERT INTO move_cursor AS stored (tenant_id, slice, position, facts_sequence) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, slice) DO UPDATE SET position = excluded.position, facts_sequence = excluded.facts_sequence
WHERE stored.position = 0
