SELECT ordinal, field, reason, hint, record, received_at FROM rejection WHERE tenant_id = $1 AND ordinal = ANY($2)
