SELECT tenant_id, slice, sequence FROM feed_head ORDER BY tenant_id, slice
