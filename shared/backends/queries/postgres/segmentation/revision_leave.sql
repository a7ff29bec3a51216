UPDATE segmentation_revision SET state = $4 WHERE tenant_id = $1 AND segmentation = $2 AND state = $3
