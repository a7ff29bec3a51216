SELECT source, accepted, duplicate, conflict, held, rejected, last_received_at FROM source_count
WHERE tenant_id = ?1
ORDER BY source;
