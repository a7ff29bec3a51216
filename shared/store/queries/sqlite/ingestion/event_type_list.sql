SELECT type, events, first_at, last_at FROM event_type
WHERE tenant_id = ?1 AND (?2 IS NULL OR type > ?2)
ORDER BY type
LIMIT ?3;
