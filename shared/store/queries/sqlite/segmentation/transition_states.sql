SELECT uid, to_state, to_segment FROM transition
WHERE tenant_id = ?1 AND segmentation = ?2 AND at <= ?3 AND known_at <= ?4
ORDER BY uid, at, id;
