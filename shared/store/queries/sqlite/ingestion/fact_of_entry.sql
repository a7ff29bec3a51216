SELECT account_uid, kind, occurred_at, known_at, historical, record FROM fact
WHERE tenant_id = ?1 AND batch_id = ?2 AND ordinal >= ?3 AND ordinal < ?4
ORDER BY ordinal;
