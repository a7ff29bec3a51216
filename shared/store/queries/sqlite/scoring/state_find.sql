SELECT closed_on, clock, importing, pending_history, watermark, version FROM slice_state
WHERE tenant_id = ?1 AND slice = ?2;
