-- Keys that have a place and for which records wait: those are stored next.
INSERT INTO releasing (tenant_id, external_id, historical)
SELECT DISTINCT $1::uuid, asked.key, false FROM unnest($2::text[]) AS asked (key)
WHERE EXISTS (SELECT 1 FROM place WHERE place.tenant_id = $1 AND place.key = asked.key)
  AND EXISTS (SELECT 1 FROM held WHERE held.tenant_id = $1 AND held.external_id = asked.key)
ON CONFLICT (tenant_id, external_id) DO NOTHING
RETURNING external_id
