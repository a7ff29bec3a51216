SELECT segmentation, revision, state, segmenter_id, segmenter_version, digest, config, created_at, created_by, note, shadow, fit
FROM revision WHERE tenant_id = ?1 AND segmentation = ?2 AND revision = ?3;
