SELECT newest.to_state, newest.to_segment, count(*)
FROM (
  SELECT DISTINCT ON (uid) to_state, to_segment
  FROM transition WHERE tenant_id = $1 AND segmentation = $2 AND moved_at <= $3 AND known_at <= $4
  ORDER BY uid, moved_at DESC, id DESC
) AS newest
GROUP BY newest.to_state, newest.to_segment
ORDER BY newest.to_state, newest.to_segment
