SELECT closed_on, clock, importing, pending_history, watermark FROM cursor WHERE tenant_id = $1 AND slice = $2
