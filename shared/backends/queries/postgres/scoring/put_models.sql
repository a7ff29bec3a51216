INSERT INTO model (tenant_id, closed_on, known_at, models)
SELECT $1, new.closed_on, new.known_at, new.models
FROM unnest($2::integer[], $3::bigint[], $4::bytea[]) AS new (closed_on, known_at, models)
ON CONFLICT (tenant_id, closed_on) DO UPDATE SET known_at = excluded.known_at, models = excluded.models
