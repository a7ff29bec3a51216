-- Who has followed something goes on only from where the row stands: without one, from the beginning.
INSERT INTO feed_followed AS known (tenant_id, slice, sequence)
SELECT $1::uuid, $2::integer, $4::bigint
WHERE $3::bigint = 0 OR EXISTS (SELECT FROM feed_followed AS stored WHERE stored.tenant_id = $1 AND stored.slice = $2)
ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = excluded.sequence WHERE known.sequence = $3
RETURNING sequence
