SELECT account_uid, kind, occurred_at, known_at, record
FROM fact WHERE tenant_id = $1 AND account_uid = ANY($2) AND kind <> 4
-- What became known at one instant is in the order of the feed, as for those who follow it.
ORDER BY account_uid, occurred_at, known_at, (
  SELECT sequence FROM feed WHERE feed.tenant_id = $1 AND feed.batch_id = fact.batch_id AND feed.slice = fact.slice
), ordinal
