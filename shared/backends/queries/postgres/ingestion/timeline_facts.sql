SELECT kind, historical, known_at, record, occurred_at, batch_id, ordinal
FROM fact WHERE tenant_id = $1 AND account_uid = $3 AND kind <> 4 AND ($2::bigint >> kind) & 1 = 1 AND known_at <= $4
  -- The first bound lets the reader skip all later months.
  AND occurred_at <= $5 AND (occurred_at, batch_id, ordinal) < ($5, $6, $7)
ORDER BY occurred_at DESC, batch_id DESC, ordinal DESC LIMIT $8
