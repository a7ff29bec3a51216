-- In key order; the row locks are held until the commit, so this comes after all other work.
INSERT INTO source_count AS stored (tenant_id, source, accepted, duplicate, conflict, held, rejected, last_received_at)
SELECT $1, new.source, new.accepted, new.duplicate, new.conflict, new.held, new.rejected, new.last_received_at
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
  AS new (source, accepted, duplicate, conflict, held, rejected, last_received_at)
ON CONFLICT (tenant_id, source) DO UPDATE SET
  accepted = stored.accepted + excluded.accepted,
  duplicate = stored.duplicate + excluded.duplicate,
  conflict = stored.conflict + excluded.conflict,
  held = stored.held + excluded.held,
  rejected = stored.rejected + excluded.rejected,
  last_received_at = greatest(stored.last_received_at, excluded.last_received_at)
