SELECT slice, sequence FROM feed_head WHERE tenant_id = $1 ORDER BY slice
