UPDATE segmentation
SET segmenter_id = $4, config = $5, version = version + 1, plugin_digest = $6, revision = $7, closed_on = $8, fit = $9
WHERE tenant_id = $1 AND number = $2 AND version = $3
RETURNING key, number, segmenter_id, config, version, plugin_digest, created_at, closed_on, revision, fit
