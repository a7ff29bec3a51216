SELECT id, segmentation, uid, at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition FROM transition
WHERE tenant_id = ?1 AND uid = ?2
ORDER BY at, id;
