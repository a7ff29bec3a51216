SELECT kind, occurred_at, known_at, record FROM fact
WHERE tenant_id = ?1 AND account_uid = ?2 AND kind <> 4
ORDER BY occurred_at, known_at, sequence, batch_id, ordinal;
