INSERT INTO segmentation_revision (tenant_id, segmentation, revision, state, segmenter_id, segmenter_version, digest, config, created_at, created_by, note, shadow, fit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
