INSERT INTO rejection (tenant_id, received_at, key, source, field, reason, hint, record)
SELECT $1, $2, new.key, new.source, new.field, new.reason, new.hint, new.record
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[]) WITH ORDINALITY AS new (key, source, field, reason, hint, record, place)
ORDER BY new.place
ON CONFLICT (tenant_id, key) DO NOTHING
