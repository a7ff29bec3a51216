UPDATE cursor
SET position = $3, closed_on = $4, closes_at = $5, clock = $6, importing = $7, pending_history = $8, watermark = $9
WHERE tenant_id = $1 AND slice = $2 AND position = $10
