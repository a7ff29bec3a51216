SELECT sequence FROM feed_head WHERE tenant_id = ?1 AND slice = ?2;
