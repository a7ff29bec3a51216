INSERT INTO moves_cursor (tenant_id, slice, cursor, facts_sequence) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant_id, slice) DO UPDATE SET cursor = excluded.cursor, facts_sequence = excluded.facts_sequence;
