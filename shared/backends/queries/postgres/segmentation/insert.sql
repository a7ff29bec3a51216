INSERT INTO segmentation (tenant_id, key, number, segmenter_id, config, version, plugin_digest, created_at, closed_on, revision, fit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
