SELECT * FROM (
  SELECT ordinal, hour, hash, payload, source, kind, occurred_at, known_at, historical, record, coalesce((
    -- Of the accounts that it has not left again by then the one that was said last. No moment is before 1970.
    SELECT external_id FROM place WHERE tenant_id = ?1 AND key = ?2 AND first_at <= held.occurred_at
    GROUP BY external_id
    HAVING max(CASE WHEN last_at <= held.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE NOT is_left)
      > coalesce(max(CASE WHEN last_at <= held.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE is_left), -1)
    ORDER BY max(CASE WHEN last_at <= held.occurred_at THEN last_at ELSE first_at END) FILTER (WHERE NOT is_left) DESC, external_id DESC
    LIMIT 1
  ), (
    -- Before anything was said, the one where it came first.
    SELECT external_id FROM place WHERE tenant_id = ?1 AND key = ?2 AND NOT is_left
      AND NOT EXISTS (SELECT 1 FROM place WHERE tenant_id = ?1 AND key = ?2 AND first_at <= held.occurred_at)
    ORDER BY first_at, external_id LIMIT 1
  )) AS home
  FROM held INDEXED BY held_of_account
  WHERE tenant_id = ?1 AND external_id = ?2
  ORDER BY ordinal
) WHERE home IS NOT NULL;
