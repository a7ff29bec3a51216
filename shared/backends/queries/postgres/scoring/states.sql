SELECT tenant_id, slice, closed_on, closes_at, clock, importing, pending_history, restated_from, watermark, version FROM cursor
ORDER BY tenant_id, slice
