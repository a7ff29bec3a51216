SELECT tenant_id, slice, cursor, facts_sequence FROM moves_cursor ORDER BY tenant_id, slice;
