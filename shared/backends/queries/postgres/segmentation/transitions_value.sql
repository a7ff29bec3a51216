SELECT moved.id, moved.segmentation, moved.uid, moved.moved_at, moved.known_at, moved.to_state, moved.to_segment, moved.value_minor,
  moved.downward, moved.is_move, moved.is_correction, moved.transition
FROM transition AS moved LEFT JOIN account ON account.tenant_id = moved.tenant_id AND account.uid = moved.uid
WHERE moved.tenant_id = $1
  AND ($2::integer IS NULL OR moved.segmentation = $2)
  AND ($3::uuid IS NULL OR moved.uid = $3)
  AND moved.moved_at BETWEEN $4 AND $5
  AND moved.known_at <= $6
  AND moved.is_move AND NOT EXISTS (
    SELECT FROM transition AS newer
    WHERE newer.tenant_id = $1 AND newer.uid = moved.uid AND newer.segmentation = moved.segmentation AND newer.moved_at = moved.moved_at
      AND newer.id > moved.id AND newer.known_at <= $6 AND newer.is_correction
  )
-- Moves that the account has moved on from come last.
ORDER BY
  EXISTS (
    SELECT FROM transition AS next
    WHERE next.tenant_id = $1 AND next.uid = moved.uid AND next.segmentation = moved.segmentation
      AND (next.moved_at, next.id) > (moved.moved_at, moved.id) AND next.moved_at <= $5 AND next.known_at <= $6
      AND next.is_move AND NOT EXISTS (
        SELECT FROM transition AS newer
        WHERE newer.tenant_id = $1 AND newer.uid = next.uid AND newer.segmentation = next.segmentation
          AND newer.moved_at = next.moved_at AND newer.id > next.id AND newer.known_at <= $6 AND newer.is_correction
      )
  ),
  moved.downward DESC, moved.value_minor DESC, moved.moved_at DESC, account.external_id, moved.uid, moved.segmentation, moved.id DESC OFFSET $7 LIMIT $8
