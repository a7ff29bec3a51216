INSERT INTO event_type AS known (tenant_id, type, events, first_at, last_at)
SELECT $1, new.type, new.events, new.first_at, new.last_at
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS new (type, events, first_at, last_at)
ON CONFLICT (tenant_id, type) DO UPDATE
SET events = known.events + excluded.events, first_at = least(known.first_at, excluded.first_at),
  last_at = greatest(known.last_at, excluded.last_at)
