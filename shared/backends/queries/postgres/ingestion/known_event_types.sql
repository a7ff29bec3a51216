SELECT type FROM event_type WHERE tenant_id = $1 AND type = ANY($2)
