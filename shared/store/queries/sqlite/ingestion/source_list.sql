SELECT source, accepted, duplicate, conflict, held, rejected, last_received_at, watermark
FROM source_count
WHERE tenant_id = ?1 AND (?2 IS NULL OR source > ?2)
ORDER BY source
LIMIT ?3;
