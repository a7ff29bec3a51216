SELECT kind, historical, known_at, record, occurred_at, batch_id, ordinal FROM fact INDEXED BY fact_of_account
WHERE tenant_id = ?1 AND account_uid = ?3 AND kind <> 4 AND (?2 >> kind) & 1 AND known_at <= ?4
  AND (occurred_at, batch_id, ordinal) < (?5, ?6, ?7)
ORDER BY occurred_at DESC, batch_id DESC, ordinal DESC LIMIT ?8;
