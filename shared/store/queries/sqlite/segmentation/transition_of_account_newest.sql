SELECT t.id, t.segmentation, t.uid, t.at, t.known_at, t.to_state, t.to_segment, t.value_minor, t.downward, t.is_move, t.is_correction, t.transition FROM transition AS t
WHERE t.tenant_id = ?1 AND t.at >= ?2 AND t.at <= ?3 AND t.known_at <= ?4 AND (?5 IS NULL OR t.segmentation = ?5) AND t.uid = ?8
  AND t.is_move AND NOT EXISTS (
    SELECT 1 FROM transition AS newer INDEXED BY transition_of_membership
    WHERE newer.tenant_id = ?1 AND newer.segmentation = t.segmentation AND newer.uid = t.uid AND newer.at = t.at AND newer.id > t.id
      AND newer.known_at <= ?4 AND newer.is_correction
  )
ORDER BY t.at DESC, t.segmentation, t.id DESC
LIMIT ?6 OFFSET ?7;
