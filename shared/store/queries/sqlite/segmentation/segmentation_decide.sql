UPDATE segmentation
SET segmenter_id = ?3, config = ?4, version = version + 1, plugin_digest = ?5, revision = ?6, closed_on = ?7, fit = ?8
WHERE tenant_id = ?1 AND number = ?2;
