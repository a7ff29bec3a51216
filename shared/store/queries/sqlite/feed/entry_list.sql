SELECT sequence, payload FROM feed_entry
WHERE tenant_id = ?1 AND slice = ?2 AND sequence > ?3
ORDER BY sequence
LIMIT ?4;
