SELECT uid, sequence, ordinal, kind, occurred_at, known_at, record
FROM replica_fact WHERE tenant_id = $1 AND slice = $2 ORDER BY uid, sequence, ordinal
