SELECT segmentation_key, number, segmenter_id, config, version, plugin_digest, created_at
FROM segmentation WHERE tenant_id = ?1 AND request_id = ?2;
