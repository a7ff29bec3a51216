INSERT INTO segment_move (tenant_id, slice, ordinal, uid, segmentation, segment, at, known_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
