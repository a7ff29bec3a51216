SELECT COALESCE(MAX(revision), 0) FROM segmentation_revision WHERE tenant_id = $1 AND segmentation = $2
