SELECT fact.kind, fact.historical, fact.known_at, fact.record, event.occurred_at, event.batch_id, event.ordinal
FROM account_event AS event JOIN fact ON fact.tenant_id = ?1 AND fact.batch_id = event.batch_id AND fact.ordinal = event.ordinal
WHERE event.tenant_id = ?1 AND event.week = ?2 AND event.account_uid = ?3 AND event.known_at <= ?4
  AND (event.occurred_at, event.batch_id, event.ordinal) < (?5, ?6, ?7)
ORDER BY event.occurred_at DESC, event.batch_id DESC, event.ordinal DESC LIMIT ?8;
