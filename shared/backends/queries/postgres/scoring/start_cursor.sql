INSERT INTO cursor AS stored
  (tenant_id, slice, position, closed_on, closes_at, clock, importing, pending_history, watermark)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, slice) DO UPDATE SET
  position = excluded.position, closed_on = excluded.closed_on, closes_at = excluded.closes_at, clock = excluded.clock,
  importing = excluded.importing, pending_history = excluded.pending_history, watermark = excluded.watermark
WHERE stored.position = 0
