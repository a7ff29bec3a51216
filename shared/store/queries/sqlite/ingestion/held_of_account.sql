SELECT ordinal, hour, hash, payload, source, kind, occurred_at, known_at, historical, record, external_id
FROM held INDEXED BY held_of_account
WHERE tenant_id = ?1 AND external_id = ?2
ORDER BY ordinal;
