SELECT t.id, t.segmentation, t.uid, t.at, t.known_at, t.to_state, t.to_segment, t.value_minor, t.downward, t.is_move, t.is_correction, t.transition, a.external_id, a.name
FROM account AS a
CROSS JOIN transition AS t ON t.tenant_id = ?1 AND t.id = (
    SELECT newest.id FROM transition AS newest
    WHERE newest.tenant_id = ?1 AND newest.segmentation = ?2 AND newest.uid = a.uid AND newest.at <= ?3 AND newest.known_at <= ?4
    ORDER BY newest.at DESC, newest.id DESC
    LIMIT 1
)
WHERE a.tenant_id = ?1 AND a.external_id > ?5
ORDER BY a.external_id;
