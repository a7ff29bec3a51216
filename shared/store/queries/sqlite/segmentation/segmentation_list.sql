SELECT segmentation_key, number, segmenter_id, config, version, plugin_digest, created_at, closed_on, revision, fit
FROM segmentation WHERE tenant_id = ?1
ORDER BY segmentation_key;
