SELECT account.external_id, account.name,
  newest.id, newest.segmentation, newest.uid, newest.moved_at, newest.known_at, newest.to_state, newest.to_segment, newest.value_minor,
  newest.downward, newest.is_move, newest.is_correction, newest.transition
FROM account CROSS JOIN LATERAL (
  SELECT * FROM transition
  WHERE transition.tenant_id = $1 AND transition.uid = account.uid AND transition.segmentation = $2
    AND transition.moved_at <= $3 AND transition.known_at <= $4
  ORDER BY transition.moved_at DESC, transition.id DESC LIMIT 1
) AS newest
WHERE account.tenant_id = $1 AND account.external_id > $5
  AND (cardinality($6::text[]) = 0 OR newest.to_segment = ANY($6::text[]))
ORDER BY account.external_id LIMIT $7
