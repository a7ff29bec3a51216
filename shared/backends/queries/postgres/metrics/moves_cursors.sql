SELECT tenant_id, slice, position, facts_sequence, behind FROM move_cursor ORDER BY tenant_id, slice
