SELECT closed_on, closes_at, clock, importing, pending_history, restated_from, watermark, version
FROM cursor WHERE tenant_id = $1 AND slice = $2
