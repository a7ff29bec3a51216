INSERT INTO place AS known (tenant_id, key, day, external_id, is_left, first_at, last_at)
SELECT $1, new.key, new.day, new.external_id, new.is_left, min(new.at), max(new.at)
FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::text[], $6::boolean[]) AS new (key, day, at, external_id, is_left)
GROUP BY new.key, new.day, new.external_id, new.is_left
ON CONFLICT (tenant_id, key, day, external_id, is_left) DO UPDATE
SET first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)
