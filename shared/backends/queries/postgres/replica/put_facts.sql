INSERT INTO replica_fact (tenant_id, slice, uid, sequence, ordinal, kind, occurred_at, known_at, record)
SELECT $1, $2, new.uid, new.sequence, new.ordinal, new.kind, new.occurred_at, new.known_at, new.record
FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bytea[])
  AS new (uid, sequence, ordinal, kind, occurred_at, known_at, record)
ON CONFLICT (tenant_id, slice, uid, sequence, ordinal) DO NOTHING
