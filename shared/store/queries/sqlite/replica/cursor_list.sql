SELECT tenant_id, slice, cursor FROM replica_cursor ORDER BY tenant_id, slice;
