SELECT COALESCE(MAX(revision), 0) FROM revision WHERE tenant_id = ?1 AND segmentation = ?2;
