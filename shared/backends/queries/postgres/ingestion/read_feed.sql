SELECT sequence, recorded_at, batch_id, first_at, last_at, record_bytes, import, clock, trace
FROM feed WHERE tenant_id = $1 AND slice = $2 AND sequence > $3 ORDER BY sequence LIMIT $4
