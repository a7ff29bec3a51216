SELECT tenant_id, slice, cursor, facts_sequence, behind FROM moves_cursor ORDER BY tenant_id, slice;
