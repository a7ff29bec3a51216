DELETE FROM held WHERE tenant_id = $1 AND external_id = ANY($2)
RETURNING ordinal, hour, hash, payload, external_id, source, kind, occurred_at, known_at, historical, record
