SELECT ordinal, external_id, record, received_at FROM held
WHERE tenant_id = ?1 AND ordinal > ?2
ORDER BY ordinal
LIMIT ?3;
