SELECT id, segmentation, uid, at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition FROM transition
WHERE tenant_id = ?1 AND segmentation = ?2 AND uid = ?3 AND at <= ?4 AND known_at <= ?5
ORDER BY at DESC, id DESC
LIMIT 1;
