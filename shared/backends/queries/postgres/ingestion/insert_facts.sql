INSERT INTO fact (tenant_id, batch_id, occurred_at, known_at, ordinal, slice, kind, historical, account_uid, record)
SELECT $1, new.batch_id, new.occurred_at, new.known_at, new.ordinal, new.slice, new.kind, new.historical, new.account_uid, new.record
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::smallint[], $8::boolean[], $9::uuid[], $10::bytea[])
  AS new (batch_id, occurred_at, known_at, ordinal, slice, kind, historical, account_uid, record)
