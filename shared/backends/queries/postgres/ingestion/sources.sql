SELECT s.source, s.accepted, s.duplicate, s.conflict, s.held, s.rejected, s.last_received_at, s.watermark, h.hours, h.records
FROM source_count AS s
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(hour ORDER BY hour), '{}') AS hours, coalesce(array_agg(records ORDER BY hour), '{}') AS records
  FROM source_hour
  WHERE tenant_id = $1 AND source = s.source
) AS h
WHERE s.tenant_id = $1 AND ($2::text IS NULL OR s.source > $2)
ORDER BY s.source
LIMIT $3
