SELECT id, segmentation, uid, moved_at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition
FROM transition WHERE tenant_id = $1 AND uid = $2 AND segmentation = $3 AND moved_at <= $4 AND known_at <= $5
ORDER BY moved_at DESC, id DESC LIMIT 1
