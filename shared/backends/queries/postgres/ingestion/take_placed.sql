-- Records that wait for users, or for what other systems know, and that have a place at their time: at most $3 records, and none
-- once they have come to $4 bytes. The lock of accounts is held: nobody else touches these rows.
WITH placed AS (
  SELECT waiting.hour, waiting.hash, waiting.ordinal, waiting.bytes, coalesce((
    -- Of the accounts that it has not left again by then the one that was said last. No moment is before 1970.
    SELECT external_id FROM place WHERE tenant_id = $1 AND key = waiting.external_id AND first_at <= waiting.occurred_at
    GROUP BY external_id
    HAVING max(CASE WHEN last_at <= waiting.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE NOT is_left)
      > coalesce(max(CASE WHEN last_at <= waiting.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE is_left), -1)
    ORDER BY max(CASE WHEN last_at <= waiting.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE NOT is_left) DESC, external_id DESC
    LIMIT 1
  ), (
    -- Before anything was said, the one where it came first.
    SELECT external_id FROM place WHERE tenant_id = $1 AND key = waiting.external_id AND NOT is_left
      AND NOT EXISTS (SELECT 1 FROM place WHERE tenant_id = $1 AND key = waiting.external_id AND first_at <= waiting.occurred_at)
    ORDER BY first_at, external_id LIMIT 1
  )) AS home
  FROM unnest($2::text[]) AS asked (key) CROSS JOIN LATERAL (
    SELECT hour, hash, ordinal, external_id, occurred_at, octet_length(record) AS bytes
    FROM held WHERE tenant_id = $1 AND external_id = asked.key
  ) AS waiting
), measured AS (
  SELECT hour, hash, home, row_number() OVER (ORDER BY ordinal) AS place, sum(bytes) OVER (ORDER BY ordinal) - bytes AS bytes_before
  FROM placed WHERE home IS NOT NULL
)
DELETE FROM held USING measured, account
WHERE measured.place <= $3 AND measured.bytes_before < $4
  AND held.tenant_id = $1 AND held.hour = measured.hour AND held.hash = measured.hash
  AND account.tenant_id = $1 AND account.external_id = measured.home
RETURNING held.ordinal, held.hour, held.hash, held.payload, held.external_id, account.uid, account.slice, held.source, held.kind,
  held.occurred_at, held.known_at, held.historical, held.record
