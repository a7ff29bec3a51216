INSERT INTO account (tenant_id, slice, uid, external_id, name)
SELECT $1, $2, new.uid, new.external_id, new.name
FROM unnest($3::uuid[], $4::text[], $5::text[]) AS new (uid, external_id, name)
ON CONFLICT (tenant_id, uid) DO UPDATE SET external_id = excluded.external_id, name = excluded.name
