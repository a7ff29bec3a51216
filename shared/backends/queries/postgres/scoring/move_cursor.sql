-- One statement for the first commit of a slice, whose version is 0, and all others: a stale one writes no row.
INSERT INTO cursor AS stored
  (tenant_id, slice, position, closed_on, closes_at, clock, importing, pending_history, restated_from, watermark, version)
SELECT $1, $2::integer, $3::bigint, $4::integer, $5::bigint, $6::bigint, $7::boolean, $8::smallint, $9::integer, $10::bigint,
  $11::bigint + 1
WHERE ($11 = 0 AND $12::bigint = 0) OR EXISTS (SELECT FROM cursor WHERE tenant_id = $1 AND slice = $2)
ON CONFLICT (tenant_id, slice) DO UPDATE SET
  position = excluded.position, closed_on = excluded.closed_on, closes_at = excluded.closes_at, clock = excluded.clock,
  importing = excluded.importing, pending_history = excluded.pending_history, watermark = excluded.watermark,
  restated_from = excluded.restated_from, version = excluded.version
WHERE stored.version = $11 AND stored.position = $12
