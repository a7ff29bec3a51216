SELECT t.id, t.segmentation, t.uid, t.at, t.known_at, t.to_state, t.to_segment, t.value_minor, t.downward, t.transition FROM transition AS t
LEFT JOIN account AS a ON a.tenant_id = t.tenant_id AND a.uid = t.uid
WHERE t.tenant_id = ?1 AND t.at >= ?2 AND t.at <= ?3 AND t.known_at <= ?4 AND (?5 IS NULL OR t.segmentation = ?5)
ORDER BY t.downward DESC, t.value_minor DESC, t.at DESC, a.external_id, t.uid, t.segmentation, t.id DESC
LIMIT ?6 OFFSET ?7;
