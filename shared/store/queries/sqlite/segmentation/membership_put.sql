INSERT INTO membership (tenant_id, uid, segmentation, slice, state, segment, entered_at, close_state, close_segment, transition, trouble)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (tenant_id, uid, segmentation) DO UPDATE SET
    state = excluded.state,
    segment = excluded.segment,
    entered_at = excluded.entered_at,
    close_state = excluded.close_state,
    close_segment = excluded.close_segment,
    transition = excluded.transition,
    trouble = excluded.trouble;
