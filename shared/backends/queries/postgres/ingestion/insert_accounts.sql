INSERT INTO account (tenant_id, external_id, uid, slice)
SELECT $1, new.external_id, new.uid, new.slice FROM unnest($2::text[], $3::uuid[], $4::integer[]) AS new (external_id, uid, slice)
