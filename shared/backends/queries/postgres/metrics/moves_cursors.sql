SELECT tenant_id, slice, position FROM move_cursor ORDER BY tenant_id, slice
