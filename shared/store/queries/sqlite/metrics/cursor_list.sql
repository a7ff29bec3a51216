SELECT tenant_id, slice, cursor FROM moves_cursor ORDER BY tenant_id, slice;
