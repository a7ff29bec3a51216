DELETE FROM rejection WHERE tenant_id = $1 AND ordinal = ANY($2)
