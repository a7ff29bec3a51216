SELECT tenant_id, slice, sequence FROM feed_followed
