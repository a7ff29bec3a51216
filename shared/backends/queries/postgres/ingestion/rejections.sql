SELECT ordinal, field, reason, hint, record, received_at
FROM rejection WHERE tenant_id = $1 AND ordinal < $2 ORDER BY ordinal DESC LIMIT $3
