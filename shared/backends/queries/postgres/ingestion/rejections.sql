SELECT ordinal, field, reason, hint, record, received_at
FROM rejection WHERE tenant_id = $1 AND ordinal < $2 AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR reason = $5)
ORDER BY ordinal DESC LIMIT $3
