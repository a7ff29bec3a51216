INSERT INTO move_cursor AS stored (tenant_id, slice, position, facts_sequence, behind) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, slice) DO UPDATE
SET position = excluded.position, facts_sequence = excluded.facts_sequence, behind = excluded.behind
WHERE stored.position = 0
