SELECT tenant_id, slice, position FROM cursor ORDER BY tenant_id, slice
