SELECT id, segmentation, uid, moved_at, known_at, to_state, to_segment, value_minor, downward, transition
FROM transition
WHERE tenant_id = $1
  AND ($2::integer IS NULL OR segmentation = $2)
  AND ($3::uuid IS NULL OR uid = $3)
  AND moved_at BETWEEN $4 AND $5
  AND known_at <= $6
ORDER BY downward DESC, value_minor DESC, moved_at DESC, segmentation, uid, id OFFSET $7 LIMIT $8
