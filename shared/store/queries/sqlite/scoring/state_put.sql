INSERT INTO slice_state
    (tenant_id, slice, closed_on, closes_at, clock, importing, pending_history, restated_from, watermark, version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (tenant_id, slice) DO UPDATE SET
    closed_on = excluded.closed_on,
    closes_at = excluded.closes_at,
    clock = excluded.clock,
    importing = excluded.importing,
    pending_history = excluded.pending_history,
    restated_from = excluded.restated_from,
    watermark = excluded.watermark,
    version = excluded.version;
