INSERT INTO transition (tenant_id, id, segmentation, uid, at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13);
