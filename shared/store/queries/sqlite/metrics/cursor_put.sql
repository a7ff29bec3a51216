INSERT INTO moves_cursor (tenant_id, slice, cursor, facts_sequence, behind) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (tenant_id, slice) DO UPDATE
SET cursor = excluded.cursor, facts_sequence = excluded.facts_sequence, behind = excluded.behind;
