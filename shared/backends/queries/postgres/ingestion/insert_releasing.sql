INSERT INTO releasing (tenant_id, external_id, historical)
SELECT $1, new.external_id, new.historical FROM unnest($2::text[], $3::boolean[]) AS new (external_id, historical)
ON CONFLICT (tenant_id, external_id) DO NOTHING
