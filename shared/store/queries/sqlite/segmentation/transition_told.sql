SELECT id, segmentation, uid, at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition FROM transition
WHERE tenant_id = ?1 AND at = ?2 AND known_at = ?3 AND id > ?4
ORDER BY id
LIMIT ?5;
