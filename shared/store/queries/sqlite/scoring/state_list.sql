SELECT tenant_id, slice, closed_on, closes_at, clock, importing, pending_history, watermark, version FROM slice_state
ORDER BY tenant_id, slice;
