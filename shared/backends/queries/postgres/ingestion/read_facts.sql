SELECT batch_id, account_uid, kind, occurred_at, known_at, historical, record
FROM fact WHERE tenant_id = $1 AND batch_id = ANY($2) AND slice = $3 AND occurred_at BETWEEN $4 AND $5
ORDER BY batch_id, ordinal
