-- In key order; the row locks of source_count are held until the commit, so this comes after all other work. Hours are written after
-- the counts of their sources, by whoever has locked these.
WITH arrived AS (
  INSERT INTO source_hour AS stored (tenant_id, source, hour, records)
  SELECT $1, new.source, $10, new.records
  FROM unnest($2::text[], $9::bigint[]) AS new (source, records)
  WHERE new.records > 0
  ON CONFLICT (tenant_id, source, hour) DO UPDATE SET records = stored.records + excluded.records
), forgotten AS (
  DELETE FROM source_hour WHERE tenant_id = $1 AND source = ANY($2) AND hour < $11
)
INSERT INTO source_count AS stored (tenant_id, source, accepted, duplicate, conflict, held, rejected, last_received_at, watermark)
SELECT $1, new.source, new.accepted, new.duplicate, new.conflict, new.held, new.rejected, new.last_received_at, new.watermark
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $12::bigint[])
  AS new (source, accepted, duplicate, conflict, held, rejected, last_received_at, watermark)
ON CONFLICT (tenant_id, source) DO UPDATE SET
  accepted = stored.accepted + excluded.accepted,
  duplicate = stored.duplicate + excluded.duplicate,
  conflict = stored.conflict + excluded.conflict,
  held = stored.held + excluded.held,
  rejected = stored.rejected + excluded.rejected,
  last_received_at = greatest(stored.last_received_at, excluded.last_received_at),
  watermark = greatest(stored.watermark, excluded.watermark)
