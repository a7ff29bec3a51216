SELECT tenant_id, slice, closed_on, clock, importing, pending_history, watermark, version FROM slice_state
ORDER BY tenant_id, slice;
