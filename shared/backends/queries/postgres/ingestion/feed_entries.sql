SELECT sequence, coalesce(uuid_send(batch_id), ''::bytea)
FROM feed WHERE tenant_id = $1 AND slice = $2 AND sequence > $3 ORDER BY sequence LIMIT $4
