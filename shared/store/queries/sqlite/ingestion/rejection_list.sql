SELECT ordinal, field, reason, hint, record, received_at FROM rejection
WHERE tenant_id = ?1 AND ordinal < ?2 AND (?4 IS NULL OR source = ?4) AND (?5 IS NULL OR reason = ?5)
ORDER BY ordinal DESC
LIMIT ?3;
