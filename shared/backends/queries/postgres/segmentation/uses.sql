SELECT tenant_id, segmentation, revision, state, digest FROM segmenter_use ORDER BY tenant_id, segmentation, revision
