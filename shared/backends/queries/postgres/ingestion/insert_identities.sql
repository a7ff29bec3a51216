-- Inserts in key order, so that concurrent writers of the same identities wait for each other instead of for ever.
INSERT INTO dedupe (tenant_id, hour, hash, payload)
SELECT $1, new.hour, new.hash, new.payload FROM unnest($2::integer[], $3::uuid[], $4::uuid[]) AS new (hour, hash, payload)
ON CONFLICT (tenant_id, hour, hash) DO NOTHING
RETURNING hour, hash
