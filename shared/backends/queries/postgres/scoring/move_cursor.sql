UPDATE cursor SET position = $3, closed_on = $4, clock = $5, importing = $6, pending_history = $7, watermark = $8
WHERE tenant_id = $1 AND slice = $2 AND position = $9
