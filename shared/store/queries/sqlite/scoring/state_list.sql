SELECT tenant_id, slice, closed_on, closes_at, clock, importing, pending_history, restated_from, watermark, version FROM slice_state
ORDER BY tenant_id, slice;
