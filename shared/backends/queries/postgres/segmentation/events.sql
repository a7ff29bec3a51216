SELECT number, at, tenant_id, segmenter_id, segmentation_key, revision, event FROM segmenter_event
WHERE (tenant_id IS NULL OR tenant_id = $1)
  AND ($2 = '' OR segmenter_id = $2)
  AND ($3 = '' OR segmentation_key = $3)
  AND number < $4
ORDER BY number DESC LIMIT $5
