INSERT INTO place_cursor AS known (tenant_id, slice, sequence) VALUES ($1, $2, $4)
ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = excluded.sequence WHERE known.sequence = $3
RETURNING sequence
