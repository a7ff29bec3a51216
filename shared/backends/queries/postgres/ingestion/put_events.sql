INSERT INTO account_event (tenant_id, week, account_uid, occurred_at, batch_id, ordinal, known_at)
SELECT $1, new.week, new.account_uid, new.occurred_at, new.batch_id, new.ordinal, new.known_at
FROM unnest($2::integer[], $3::uuid[], $4::bigint[], $5::uuid[], $6::integer[], $7::bigint[])
  AS new (week, account_uid, occurred_at, batch_id, ordinal, known_at)
ON CONFLICT DO NOTHING
