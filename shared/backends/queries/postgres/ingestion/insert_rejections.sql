INSERT INTO rejection (tenant_id, received_at, source, field, reason, hint, record)
SELECT $1, $2, new.source, new.field, new.reason, new.hint, new.record
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[]) WITH ORDINALITY AS new (source, field, reason, hint, record, place)
ORDER BY new.place
