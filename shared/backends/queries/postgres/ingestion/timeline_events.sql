WITH event AS (
  SELECT occurred_at, batch_id, ordinal, known_at FROM account_event
  WHERE tenant_id = $1 AND week = ANY($2) AND account_uid = $3 AND known_at <= $4
    AND (occurred_at, batch_id, ordinal) < ($5, $6, $7)
  ORDER BY occurred_at DESC, batch_id DESC, ordinal DESC LIMIT $8
)
SELECT fact.kind, fact.historical, fact.known_at, fact.record, event.occurred_at, event.batch_id, event.ordinal
FROM event JOIN fact ON fact.tenant_id = $1 AND fact.batch_id = event.batch_id AND fact.slice = $9
  AND fact.ordinal = event.ordinal AND fact.occurred_at = event.occurred_at
ORDER BY event.occurred_at DESC, event.batch_id DESC, event.ordinal DESC
