SELECT count(*) FROM event_type WHERE tenant_id = $1
