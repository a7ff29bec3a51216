SELECT id, segmentation, uid, at, known_at, to_state, to_segment, value_minor, downward, transition FROM transition
WHERE tenant_id = ?1 AND at >= ?2 AND at <= ?3 AND known_at <= ?4 AND (?5 IS NULL OR segmentation = ?5)
ORDER BY downward DESC, value_minor DESC, at DESC, segmentation, uid, id
LIMIT ?6 OFFSET ?7;
