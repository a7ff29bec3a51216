INSERT INTO held (tenant_id, received_at, hour, hash, payload, external_id, source, kind, occurred_at, known_at, historical, record)
SELECT $1, $2, new.hour, new.hash, new.payload, new.external_id, new.source, new.kind, new.occurred_at, new.known_at, new.historical, new.record
FROM unnest($3::integer[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::smallint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::bytea[])
  WITH ORDINALITY AS new (hour, hash, payload, external_id, source, kind, occurred_at, known_at, historical, record, place)
ORDER BY new.place
