SELECT tenant_id, slice, cursor FROM slice_cursor ORDER BY tenant_id, slice;
