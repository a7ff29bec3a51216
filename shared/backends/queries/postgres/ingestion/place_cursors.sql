SELECT tenant_id, slice, sequence FROM place_followed
