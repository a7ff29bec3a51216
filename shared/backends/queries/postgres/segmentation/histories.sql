SELECT id, segmentation, uid, moved_at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition
FROM transition WHERE tenant_id = $1 AND uid = ANY($2::uuid[])
ORDER BY uid, segmentation, moved_at, id
